"""Work on shared state that is done in turn, by whoever comes by, and that nobody waits for.

What is to be done is posted; who gets the lock works everything off, who does not leaves it to the
one who has it, who looks again afterwards. So nobody ever blocks on the lock: finalizers and signal
handlers may post too, even on top of that very work.
"""

from __future__ import annotations

from collections import deque
from threading import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Inbox:
    """Commands that are run one at a time; derived classes say what else there is to do."""

    __slots__ = ("_dirty", "_inbox", "_lock")

    def __init__(self) -> None:
        self._inbox: deque[Callable[[], object]] = deque()
        self._dirty = False
        self._lock = RLock()

    def before_fork(self) -> None:
        """Before a fork: wait until nobody is at work."""
        self._lock.acquire()

    def after_fork_parent(self) -> None:
        """After a fork, in the parent: others may be at work again."""
        if self._lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001 - as Condition
            self._lock.release()

    def catch_up(self) -> None:
        """Do what was posted while nobody could."""
        self._pump()

    def _begin_anew(self) -> None:
        """After a fork, in the child: who was at work, or posted, is not here."""
        self._lock = RLock()
        self._inbox.clear()

    def _is_interrupting(self) -> bool:
        """Whether we are a finalizer or signal handler on top of the work itself.

        By the lock: a handler may strike as soon as it is had, before any line could tell of it.
        """
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001

    def _post(self, command: Callable[[], object]) -> None:
        self._inbox.append(command)
        self._pump()

    def _pump_again(self) -> None:
        """Have the work done although nothing was posted."""
        self._dirty = True
        self._pump()

    def _pump(self) -> None:
        """Work off what was posted, unless someone is at it, who then does ours too."""
        if self._is_interrupting():
            return  # what we interrupted looks again
        lock = self._lock  # that very one: a handler on top of the work may fork
        try:
            while (self._dirty or self._inbox) and lock.acquire(blocking=False):
                try:
                    self._dirty = False
                    self._work()
                finally:
                    lock.release()
                self._wake_served()
        except BaseException as error:
            # Ctrl-C may strike between getting the lock and the next line, or while letting it go.
            if lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001 - as Condition
                lock.release()
            if not isinstance(error, Exception):
                self._pump()  # others may have relied on us
            raise

    def _run_commands(self) -> None:
        """Run what was posted. One that was interrupted is run again: it must bear that."""
        while self._inbox:
            self._inbox[0]()
            self._inbox.popleft()

    def _work(self) -> None:
        """Under the lock: run the commands, and do what follows from them."""
        raise NotImplementedError

    def _wake_served(self) -> None:
        """Outside of the lock: wake those for whom something has changed."""
        raise NotImplementedError
