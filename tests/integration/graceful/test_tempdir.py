"""``tempdir`` of the face: assigned here, assigned in the standard module, or found."""

from __future__ import annotations

import pytest

EVERY_WAY = """
import tempfile
def folders(module):
    made = []
    with module.NamedTemporaryFile() as file: made.append(file.name)
    with module.TemporaryDirectory() as folder: made.append(folder)
    number, name = module.mkstemp()
    graceful.os.close(number); os.unlink(name)
    made.append(name)
    made.append(module.mkdtemp()); os.rmdir(made[-1])
    return {os.path.dirname(name) for name in made}
other = FOLDER + "/other"
os.mkdir(other)
tempfile.tempdir = FOLDER
"""


@pytest.mark.parametrize("install", [True, False])
def test_what_is_assigned_here_is_used_here(limited, install: bool) -> None:
    """And read here; the standard module goes on with its own, and ``None`` leads back to that."""
    limited(f"""
        {EVERY_WAY.replace(chr(10), chr(10) + " " * 8)}
        if {install}: graceful.install()
        ours = graceful.tempfile
        assert ours.tempdir == ours.gettempdir() == FOLDER and folders(ours) == {{FOLDER}}
        ours.tempdir = other
        assert ours.tempdir == ours.gettempdir() == other and folders(ours) == {{other}}
        assert ours.gettempdirb() == os.fsencode(other)
        assert os.path.dirname(ours.mktemp()) == other
        assert tempfile.tempdir == FOLDER and folders(tempfile) == {{FOLDER}}
        with ours.SpooledTemporaryFile() as file:
            ours.tempdir = FOLDER + "/missing"
            try:
                file.rollover()
            except FileNotFoundError:
                pass
            else:
                raise AssertionError("it went elsewhere")
        ours.tempdir = None
        tempfile.tempdir = other
        assert ours.gettempdir() == ours.tempdir == other and folders(ours) == {{other}}
        assert lent() == 0
    """)


def test_bytes_make_names_of_bytes(limited) -> None:
    """Here as there, wherever they were assigned."""
    limited(f"""
        {EVERY_WAY.replace(chr(10), chr(10) + " " * 8)}
        tempfile.tempdir = os.fsencode(FOLDER)
        assert folders(tempfile) == folders(graceful.tempfile) == {{os.fsencode(FOLDER)}}
        graceful.tempfile.tempdir = other
        assert folders(graceful.tempfile) == {{other}}
        graceful.tempfile.tempdir = os.fsencode(other)
        assert folders(graceful.tempfile) == {{os.fsencode(other)}}
    """)


def test_a_temporary_directory_finds_its_place_gracefully(limited) -> None:
    """As the rest does, also where nothing is installed."""
    limited("""
        import tempfile
        os.environ["TMPDIR"] = FOLDER
        graceful.configure(max_open_files=4, wait_s=0.02)
        held = held_elsewhere(4)
        graceful.tempfile  # loaded, not used
        try:
            graceful.tempfile.TemporaryDirectory()
        except graceful.BudgetTimeout:
            pass
        else:
            raise AssertionError("it did not wait")
        for file in held: file.close()
        with graceful.tempfile.TemporaryDirectory() as folder:
            assert os.path.dirname(folder) == FOLDER
    """)


@pytest.mark.parametrize("is_installed", [False, True])
def test_a_deadline_is_not_doubled_by_another_way_to_the_same_file(
    limited, is_installed: bool
) -> None:
    """The standard one tries a second way when the first fails, however it failed."""
    limited(f"""
        import tempfile
        if {is_installed}: graceful.install()
        face = tempfile if {is_installed} else graceful.tempfile
        face.gettempdir()
        graceful.configure(max_open_files=4, wait_s=0.6)
        held, is_over = threading.Event(), threading.Event()
        def hold():
            files = [graceful.open(FILE) for _ in range(4)]
            held.set()
            while not is_over.wait(0.05): pass
            for file in files: file.close()
        holding = threading.Thread(target=hold)
        holding.start()
        held.wait()
        spooled = face.SpooledTemporaryFile(max_size=1)
        for make in (face.TemporaryFile, face.NamedTemporaryFile, spooled.fileno):
            begun_s = time.monotonic()
            try: make()
            except graceful.BudgetTimeout: assert time.monotonic() - begun_s < 1.2, make
            else: raise AssertionError(make)
        is_over.set()
        holding.join()
        spooled.close()
        with face.TemporaryFile() as file: file.write(b"x")
        assert lent() == 0
    """)
