"""Walking and removing trees: what is found, what is told and what is left is the standard's."""

from __future__ import annotations

import pytest

AS_A_PLAIN_USER = """
import shutil, stat
for name in ("os", "shutil"): getattr(graceful, name)
shutil.rmtree(FOLDER); os.mkdir(FOLDER)
from fsworkers.graceful import aio
os.chmod(FOLDER, 0o777)
os.chdir(FOLDER)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""


def script(text: str, before: str = AS_A_PLAIN_USER) -> str:
    """A script that begins with another, as deeply indented."""
    return before.replace("\n", "\n" + " " * 8) + text


def test_a_folder_that_may_be_read_and_not_entered(limited) -> None:
    """There is no way back up out of it but the one that was kept."""
    limited(
        script("""
        def made(top):
            os.makedirs(top + "/a/b"); os.makedirs(top + "/a/c")
            os.chmod(top + "/a/b", 0o444)
            return top
        for ignore in (True, False):
            for number, rmtree in enumerate((shutil.rmtree, graceful.shutil.rmtree)):
                rmtree(made(f"{number}{ignore}"), ignore_errors=ignore)
        assert os.listdir() == []
        assert lent() == 0
    """)
    )


def test_what_is_in_a_folder_that_may_not_be_entered_stays(limited) -> None:
    """That is told once, of the folder; what is beside it is removed."""
    limited(
        script("""
        os.makedirs("top/a"); os.makedirs("top/b/c")
        for name in ("top/a/file", "top/b/file"): open(name, "w").close()
        os.chmod("top/a", 0o444)
        told = []
        graceful.shutil.rmtree("top", onerror=lambda *one: told.append((*one[:2], one[2][1].errno)))
        assert told == [(os.rmdir, "top/a", errno.ENOTEMPTY), (os.rmdir, "top", errno.ENOTEMPTY)]
        os.chmod("top/a", 0o755)
        assert os.listdir("top") == ["a"] and os.listdir("top/a") == ["file"] and lent() == 0
    """)
    )


def test_folders_that_may_not_be_looked_into(limited) -> None:
    """Found, named and told of as by the standard ones, whatever the caller does in its turn."""
    limited(
        script("""
        def made():
            kinds = ("a", "unread", "unentered")
            if os.path.exists("top"):
                for name in kinds: os.chmod("top/" + name, 0o700)
                shutil.rmtree("top")
            for name in kinds:
                os.makedirs(f"top/{name}/b"); open(f"top/{name}/file", "w").close()
            os.symlink("loop", "top/loop"); os.symlink("a", "top/link")
            os.chmod("top/unread", 0o311); os.chmod("top/unentered", 0o644)
        def nothing(path, folders): pass
        def strange(path, folders): folders.append("missing")
        def remove(path, folders):
            if os.path.exists("top/a/b"): os.rmdir("top/a/b")
        def close(path, folders):
            if path == "top/a": os.chmod(path, 0)
        def found(walk, top, change, **options):
            made()
            seen, told = [], []
            for path, folders, others in walk(top, onerror=told.append, **options):
                change(path, folders)
                seen.append((path, sorted(folders), sorted(others)))
            return sorted(seen), sorted(map(repr, told))
        for top in ("top", "top/unread/b", "top/unentered"):
            for topdown in (True, False):
                for change in (nothing, strange, remove, close):
                    options = {"topdown": topdown, "followlinks": True}
                    expected = found(os.walk, top, change, **options)
                    assert found(graceful.os.walk, top, change, **options) == expected
        assert lent() == 0
    """)
    )


def test_a_link_put_in_the_place_of_a_folder_is_not_followed(limited) -> None:
    """The caller has its turn with the folder before it is entered."""
    limited("""
        for number, walk in enumerate((os.walk, graceful.os.walk)):
            base = f"{FOLDER}/{number}"
            os.makedirs(base + "/top/one"); os.makedirs(base + "/elsewhere/below")
            seen = []
            for path, *_ in walk(base + "/top"):
                seen.append(path)
                if path == base + "/top":
                    os.rmdir(path + "/one")
                    os.symlink(base + "/elsewhere", path + "/one")
            assert seen == [base + "/top"], seen
    """)


def test_many_threads_at_once_remove_trees(limited) -> None:
    """Each asks for its two descriptors at once, so that hardly any has to be helped out."""
    limited("""
        graceful.configure(max_open_files=4)
        sys.setswitchinterval(1e-5)
        def work(number):
            top = f"{FOLDER}/{number}"
            for name in "abc": os.makedirs(f"{top}/{name}/below")
            graceful.shutil.rmtree(top)
        in_threads(work, 30)
        seen = graceful.statistics()
        assert seen.lent == seen.deadlocks == 0 and seen.rescued < 30, seen
        assert os.listdir(FOLDER) == []
    """)


REMOVING = """
import pathlib, shutil
def made():
    top = pathlib.Path(FOLDER, "top")
    (top / "folder" / "below").mkdir(parents=True)
    for name in ("file", "folder/file", "folder/below/file"): (top / name).touch()
    for name in ("folder", "file", "nowhere"): (top / f"link-to-{name}").symlink_to(name)
    return top

def told(rmtree, top, **options):
    calls = []
    def onerror(function, path, information):
        calls.append((function, path, type(path), *details(information[1])))
    def onexc(function, path, error):
        calls.append((function, path, type(path), *details(error)))
    handlers = {"onerror": onerror, "onexc": onexc}
    options.update((name, handlers[name]) for name in handlers if name in options)
    try:
        rmtree(top, **options)
    except Exception as error:
        calls.append(details(error))
    left = sorted(map(str, pathlib.Path(FOLDER).rglob("*")))
    return sorted(calls, key=repr), left

def details(error):
    if error.args[0] == "Cannot call rmtree on a symbolic link":
        # Python 3.13 sets a name of it, after which it says "[Errno None] None".
        return OSError, "a link"
    return type(error), str(error), getattr(error, "filename", None)

def same(change, kind, **options):
    found = []
    for rmtree in (shutil.rmtree, graceful.shutil.rmtree):
        found.append(told(rmtree, kind(change(made())), **options))
        shutil.rmtree(FOLDER + "/top", ignore_errors=True)
    assert found[0] == found[1], found
    return found[1]
"""


def test_rmtree_tells_what_the_standard_one_tells(limited) -> None:
    """Functions, paths of the same types and errors, of every kind of top."""
    limited(
        script(
            """
        tops = ["", "missing", "file", "folder", "link-to-folder", "link-to-file",
                "link-to-nowhere"]
        if sys.version_info >= (3, 13):  # until then that waits for a writer
            tops.append("fifo")
        def top_of(name):
            def change(top):
                os.mkfifo(top / "fifo")
                return top / name
            return change
        ways = [{}, {"ignore_errors": True}, {"onerror": 1}, {"ignore_errors": True, "onerror": 1}]
        if sys.version_info >= (3, 12):
            ways += [{"onexc": 1}, {"onexc": 1, "onerror": 1}]
        for name in tops:
            for options in ways:
                same(top_of(name), str, **options)
            for kind in (pathlib.Path, os.fsencode):
                for options in ({}, {"onerror": 1}):
                    same(top_of(name), kind, **options)
        for wrong in (None, "with\\0null", ""):
            for options in ways:
                same(lambda top: wrong, lambda same: same, **options)
        at = os.open(FOLDER, os.O_RDONLY)
        for name in ("top", "missing", "top/file"):
            same(lambda top: name, str, dir_fd=at, onerror=1)
        assert lent() == 0
    """,
            REMOVING,
        )
    )


def test_a_link_is_refused_with_a_message(limited) -> None:
    """With nothing else on it that would hide what it says."""
    limited("""
        os.symlink(FOLDER, FILE + "-link")
        try:
            graceful.shutil.rmtree(FILE + "-link")
        except OSError as error:
            assert str(error) == "Cannot call rmtree on a symbolic link"
            assert (error.errno, error.filename) == (None, None)
        else:
            raise AssertionError("it removed what a link leads to")
    """)


def test_what_vanishes_while_a_tree_is_removed(limited) -> None:
    """Before it is looked at, opened, listed or removed: told as the standard one does."""
    limited(
        script(
            """
        options = {"onexc" if sys.version_info >= (3, 12) else "onerror": 1}
        # What is called on whom, just before which that is gone.
        moments = {("os.remove", "file"), ("os.rmdir", "below"), ("open", "below")}
        moment = None
        def vanish(event, arguments):
            global moment
            if (event, arguments and arguments[0]) == moment:
                _, moment = moment, None
                place = os.path.join(FOLDER, "top", "folder", "below")
                if event == "os.remove":
                    for place, _, names in os.walk(FOLDER):
                        if "file" in names: os.unlink(place + "/file")
                else:
                    shutil.rmtree(place)
        sys.addaudithook(vanish)
        for one in moments:
            found = []
            for rmtree in (shutil.rmtree, graceful.shutil.rmtree):
                top = made()
                moment = one
                calls, left = told(rmtree, str(top), **options)
                assert moment is None and left == [], (one, left)
                found.append({(function, path) for function, path, *_ in calls})
            assert found[0] == found[1] or one == ("os.remove", "file"), found
            assert bool(found[1]) == (sys.version_info < (3, 13)), found
        assert lent() == 0
    """,
            REMOVING,
        )
    )


def test_a_folder_that_is_moved_while_it_is_emptied_does_not_lead_elsewhere(limited) -> None:
    """Nothing is removed where it was moved to; the removal ends, and that is told."""
    limited("""
        import shutil
        TOP, ELSEWHERE = FOLDER + "/top", FOLDER + "/elsewhere"
        def begin():
            shutil.rmtree(TOP, ignore_errors=True); shutil.rmtree(ELSEWHERE, ignore_errors=True)
            os.makedirs(TOP + "/folder/below"); os.makedirs(ELSEWHERE + "/folder")
            for path in (TOP, TOP + "/folder/below", ELSEWHERE, ELSEWHERE + "/folder"):
                open(path + "/file", "w").close()
            open(TOP + "/folder/below/lowest", "w").close()
        def move(event, arguments):
            if (event, *arguments[:1]) == ("os.remove", "lowest"):
                os.rename(TOP + "/folder/below", ELSEWHERE + "/below")
        sys.addaudithook(move)
        def outcome(**options):
            begin()
            before = open_count()
            try:
                graceful.shutil.rmtree(TOP, **options)
            except OSError as error:
                return error.errno, error.filename
            finally:
                assert open_count() == before and lent() == 0
                assert sorted(os.listdir(ELSEWHERE)) == ["below", "file", "folder"]
                assert os.listdir(ELSEWHERE + "/folder") == ["file"]
                assert os.listdir(TOP) == ["folder"]
        told = []
        def onerror(function, path, information):
            told.append((function, path, information[1].errno))
        assert outcome() == (errno.ESTALE, TOP + "/folder")
        assert outcome(ignore_errors=True) is outcome(onerror=onerror) is None
        assert told == [
            (os.open, TOP + "/folder", errno.ESTALE), (os.rmdir, TOP, errno.ENOTEMPTY)
        ], told
    """)


@pytest.mark.parametrize("install", [False, True])
def test_a_copy_ends_at_the_first_file_there_is_no_descriptor_for(limited, install: bool) -> None:
    """And says so itself, instead of waiting for each in turn and telling texts in the end."""
    limited(f"""
        import shutil
        from fsworkers.graceful.shutil import copytree, move
        if {install}:
            graceful.install()
            from shutil import copytree, move
        os.makedirs(FOLDER + "/s/sub")
        for number in range(60): open(f"{{FOLDER}}/s/sub/{{number}}", "w").close()
        graceful.configure(4, wait_s=0.1)
        def told(action):
            begun_s = time.monotonic()
            try:
                action()
            except graceful.BudgetTimeout:
                assert time.monotonic() - begun_s < 2
            else:
                raise AssertionError("it was copied")
        def rename(*arguments):
            raise OSError(errno.EXDEV, "as if it were another device")
        with graceful.reserve(3):
            def work():
                told(lambda: copytree(FOLDER + "/s", FOLDER + "/t"))
                os.rename = graceful.os.rename = rename
                told(lambda: move(FOLDER + "/s", FOLDER + "/u"))
            in_threads(lambda number: work(), 1)
        copytree(FOLDER + "/s", FOLDER + "/v")
        assert len(os.listdir(FOLDER + "/v/sub")) == 60
        try:
            copytree(FOLDER + "/s", FOLDER + "/w", copy_function=lambda *a: os.stat("/nowhere"))
        except shutil.Error as error:
            assert len(error.args[0]) == 60
        assert lent() == 0
    """)


def test_a_folder_that_may_only_be_read_is_globbed_by_its_number(limited) -> None:
    """It cannot be opened once more; so it is listed itself."""
    limited(
        script("""
        import glob
        from fsworkers.graceful.glob import glob as ours
        os.mkdir("only-read")
        open("only-read/file", "w").close()
        os.chmod("only-read", 0o444)
        number = os.open("only-read", os.O_RDONLY)
        assert ours("*", dir_fd=number) == glob.glob("*", dir_fd=number) == ["file"]
        os.close(number)
        assert lent() == 0
        """)
    )
