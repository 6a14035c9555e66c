"""Looking into folders: what could not be opened is never missing without a word."""

from __future__ import annotations

import pytest

TREE = """
import glob, pathlib, tempfile
for number in range(3):
    os.makedirs(os.path.join(FOLDER, str(number), "below"))
    open(os.path.join(FOLDER, str(number), "f"), "w").close()

def saturated(error, action):
    held = held_elsewhere(graceful.statistics().capacity)
    try:
        found = action()
    except error:
        return
    finally:
        for file in held: file.close()
    raise AssertionError(f"it found {found}")
"""

SCANS = [
    "graceful.glob.glob(FOLDER + '/*')",
    "graceful.glob.glob(FOLDER + '/*/*')",
    "list(graceful.glob.iglob(FOLDER + '/**', recursive=True))",
    "graceful.glob.glob('*', root_dir=FOLDER)",
    "graceful.glob.glob('0/*', dir_fd=TOP)",
    "list(graceful.os.walk(FOLDER))",
]
INSTALLED = [
    "glob.glob(FOLDER + '/*')",
    "list(early_iglob(FOLDER + '/**', recursive=True))",
    "glob.glob('0/*', dir_fd=TOP)",
    "os.listdir(FOLDER)",
    "list(os.walk(FOLDER))",
    "[found[:3] for found in os.fwalk(FOLDER)]",
    "list(pathlib.Path(FOLDER).iterdir())",
    "list(pathlib.Path(FOLDER).glob('*'))",
    "list(pathlib.Path(FOLDER).glob('*/f'))",
    "list(pathlib.Path(FOLDER).rglob('f'))",
    "list(getattr(pathlib.Path(FOLDER), 'walk', lambda: os.walk(FOLDER))())",
]


@pytest.mark.parametrize("scan", SCANS)
def test_a_scan_that_ran_out_of_time_says_so(limited, scan: str) -> None:
    """Not one entry is missing from a result that was given."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        TOP = os.open(FOLDER, os.O_RDONLY)
        graceful.configure(max_open_files=4, wait_s=0.02)
        assert len({scan}) > 0
        saturated(graceful.BudgetTimeout, lambda: {scan})
        assert lent() == 0
    """)


@pytest.mark.parametrize("scan", INSTALLED)
def test_a_standard_scan_that_ran_out_of_time_says_so(limited, scan: str) -> None:
    """The standard library's own, installed; uninstalled it is as it was."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        from glob import iglob as early_iglob
        TOP = os.open(FOLDER, os.O_RDONLY)
        expected = repr({scan})
        original = glob.iglob
        graceful.configure(max_open_files=4, wait_s=0.02)
        graceful.install()
        assert repr({scan}) == expected
        saturated(graceful.BudgetTimeout, lambda: {scan})
        graceful.uninstall()
        assert glob.iglob is early_iglob is original and repr({scan}) == expected
        assert lent() == 0
    """)


def test_who_needs_two_for_a_tree_is_told_which_tree(limited) -> None:
    """The time-out names the path, as for everything else, and not how many it wanted."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        TOP = os.open(FOLDER, os.O_RDONLY)
        graceful.configure(max_open_files=4, wait_s=0.02)
        held = held_elsewhere(4)
        for scan, path in [
            (lambda: graceful.shutil.rmtree(FOLDER), FOLDER),
            (lambda: graceful.glob.glob("0/*", dir_fd=TOP), "0"),
        ]:
            try: scan()
            except graceful.BudgetTimeout as error: assert error.filename == path, error
            else: raise AssertionError(path)
        assert os.path.isdir(FOLDER)
        for file in held: file.close()
        assert lent() == 0
    """)


def test_a_scan_cut_off_in_the_middle_says_so(limited) -> None:
    """Folders taken away from under an iterator: the rest is not left out."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        graceful.configure(max_open_files=4, wait_s=0.02)
        found = graceful.glob.iglob(FOLDER + "/**", recursive=True)
        assert next(found) == FOLDER + "/"
        saturated(graceful.BudgetTimeout, lambda: list(found))
        assert lent() == 0
        # Outside of a scan the error is what it always is.
        saturated(OSError, lambda: graceful.os.scandir(FOLDER))
    """)


def test_glob_finds_what_the_standard_one_finds(limited) -> None:
    """With one descriptor, with two, and from any starting point."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        os.makedirs(FOLDER + "/.hidden/below"); open(FOLDER + "/.hidden/f", "w").close()
        os.symlink("0", FOLDER + "/link"); os.symlink("nowhere", FOLDER + "/broken")
        os.chdir(FOLDER)
        at = os.open(FOLDER, os.O_RDONLY)
        patterns = ["*", "**", "**/", "**/f", "*/*", ".*", ".*/**", "[0-1]/f", "f", "nothing/*",
                    "broken", "link/*", "", ".", "./*", "f/*", FOLDER + "/*/f"]
        starts = [{{}}, {{"root_dir": FOLDER}}, {{"root_dir": "0"}}, {{"root_dir": "nothing"}},
                  {{"dir_fd": at}}, {{"dir_fd": at, "root_dir": "0"}}]
        for most, few in ((2, patterns), (1, ["*"])):
            graceful.configure(max_open_files=most)
            for pattern in few:
                for start in starts:
                    for options in ({{}}, {{"recursive": True}},
                                    {{"recursive": True, "include_hidden": True}}):
                        options |= start
                        found = graceful.glob.glob(pattern, **options)
                        assert sorted(found) == sorted(glob.glob(pattern, **options)), options
                        if "root_dir" in options:
                            options["root_dir"] = os.fsencode(options["root_dir"])
                        of_bytes = graceful.glob.iglob(os.fsencode(pattern), **options)
                        assert sorted(of_bytes) == sorted(map(os.fsencode, found)), options
        assert lent() == 0
    """)


@pytest.mark.parametrize("most", [2, 4])
def test_many_threads_at_once_find_all(limited, most: int) -> None:
    """None is short, and hardly any has to be helped out: who needs two asks for both."""
    limited(f"""
        {TREE.replace(chr(10), chr(10) + " " * 8)}
        from pathlib import Path
        at = os.open(FOLDER, os.O_RDONLY)
        sys.setswitchinterval(1e-5)
        graceful.install()
        ways = [
            lambda: graceful.glob.iglob("**", recursive=True, dir_fd=at),
            lambda: graceful.glob.iglob(FOLDER + "/**", recursive=True),
            lambda: glob.iglob("**", recursive=True, dir_fd=at),
            lambda: glob.iglob(FOLDER + "/**", recursive=True),
            lambda: Path(FOLDER).glob("*/*"),
            lambda: Path(FOLDER).rglob("f"),
            lambda: Path(FOLDER).iterdir(),
            lambda: getattr(Path(FOLDER), "walk", lambda: os.walk(FOLDER))(),
        ]
        def found(way):
            return sorted(map(repr, way()))
        expected = [found(way) for way in ways]
        graceful.configure(max_open_files={most})
        def scan(number):
            for way, known in zip(ways, expected):
                assert found(way) == known, known
        in_threads(scan, 30)
        seen = graceful.statistics()
        assert seen.lent == seen.deadlocks == 0 and seen.rescued < 30, seen
    """)


TEMPORARY = """
        import posix, tempfile  # posix opens for itself, also while installed
        def fill():
            foreign = []
            with contextlib.suppress(OSError):
                while True: foreign.append(posix.open(os.devnull, os.O_RDONLY))
            return foreign
"""


@pytest.mark.parametrize("module", ["graceful.tempfile", "tempfile"])
@pytest.mark.parametrize(
    "use", ["gettempdir()", "mkdtemp()", "mkstemp()[0]", "NamedTemporaryFile()", "TemporaryFile()"]
)
def test_the_first_temporary_file_waits_for_a_descriptor(limited, module: str, use: str) -> None:
    """With the table full of foreign descriptors it goes on when some are closed."""
    limited(f"""
        {TEMPORARY}
        graceful.configure()
        graceful.tempfile.TemporaryFile  # loaded, not used
        os.environ["TMPDIR"] = FOLDER
        graceful.install()
        foreign = fill()
        made = []
        using = threading.Thread(target=lambda: made.append({module}.{use}))
        using.start()
        wait_for(lambda: graceful.statistics().waiting)
        for number in foreign: posix.close(number)
        using.join(5)
        assert made and {module}.gettempdir() == FOLDER
        if hasattr(made[0], "close"): made[0].close()
    """)


@pytest.mark.parametrize("module", ["graceful.tempfile", "tempfile"])
def test_no_descriptor_is_not_no_directory(limited, module: str) -> None:
    """A wait that ended is told as what it is, and the next use finds the directory."""
    limited(f"""
        {TEMPORARY}
        graceful.configure(wait_s=0.05)
        graceful.tempfile.TemporaryFile  # loaded, not used
        graceful.install()
        foreign = fill()
        try:
            {module}.gettempdir()
        except graceful.BudgetTimeout:
            pass
        else:
            raise AssertionError("it found one")
        for number in foreign: posix.close(number)
        graceful.configure(wait_s=5)
        assert os.path.isdir({module}.gettempdir()) and lent() == 0
    """)


def test_a_scan_may_be_closed_after_it_was_finalized(limited) -> None:
    """A collector takes what is in a cycle in any order."""
    limited("""
        scan = graceful.os.scandir(FOLDER)
        scan.close()
        scan.__del__()
        scan.close()
        assert lent() == 0
    """)


def test_a_child_does_not_count_a_listing_that_is_just_being_closed(limited) -> None:
    """The thread that was closing it is not there to give its permit back."""
    limited("""
        closing, go_on = threading.Event(), threading.Event()
        class Slow:
            def __init__(self, entries):
                self.entries = entries
            def close(self):
                self.entries.close()
                closing.set()
                go_on.wait(30)
        def scan():
            found = graceful.os.scandir(FOLDER)
            found._entries = Slow(found._entries)
            found.close()
        closer = threading.Thread(target=scan)
        closer.start()
        closing.wait(30)
        child = os.fork()
        if child == 0:
            os._exit(lent())
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        go_on.set()
        closer.join()
        assert lent() == 0
    """)
