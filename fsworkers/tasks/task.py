"""What a task is: a class whose constructor takes the options, and whose objects are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    Protocol,
    TypeAlias,
    get_args,
    runtime_checkable,
)

from fsworkers.errors import BadSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fsworkers.model import Entry

ColumnType: TypeAlias = Literal["text", "integer", "number", "boolean", "json"]


class Column(NamedTuple):
    """One thing that a task's value holds, as a table shows it.

    Attributes:
        name: The key in a value that is a mapping; of a value that is none, what to call it.
        type: What it is; ``json`` for what no column can hold.
        unit: Of what, as in ``bytes``; empty where it counts or says nothing measurable.
        meaning: What it tells, in a few words.
    """

    name: str
    type: ColumnType = "text"
    unit: str = ""
    meaning: str = ""


def columns_of(function: Any) -> Sequence[Column]:
    """What a task function's values hold, as far as it says so; or a class of tasks.

    Raises:
        BadSetting: It says so in another way than by a sequence of ``Column``.
    """
    columns = getattr(function, "columns", None) or ()
    if isinstance(function, type) and hasattr(columns, "__get__"):
        return ()  # a property: only its objects know
    name = getattr(function, "__qualname__", type(function).__qualname__)
    types = ", ".join(get_args(ColumnType))
    if isinstance(columns, Column) or not isinstance(columns, Sequence):
        raise BadSetting(f"columns of task {name}", columns, "a tuple of Column(NAME, TYPE)")
    for one in columns:
        if not isinstance(one, Column) or one.type not in get_args(ColumnType):
            accepted = f"Column(NAME, TYPE), the type one of {types}"
            raise BadSetting(f"a column of task {name}", one, accepted)
    return columns


class Preparation(NamedTuple):
    """What a task may look at before its run begins.

    Attributes:
        roots: The PATHs, as they were given.
        scan: Looks for the files that are to be processed, anew with each call: lists of paths,
            and what is settled without being run.
        workers: How many worker processes there will be.
    """

    roots: Sequence[str]
    scan: Callable[[], Iterable[list[str] | Entry]]
    workers: int


class Reducer(Protocol):
    """Makes one result of the values of a run's files.

    One that also has a method ``merge``, which takes another reducer of its kind, is made and fed
    in the workers, for a block at a time, and travels to the master pickled: it holds little then,
    and the order of files must not matter to it. Others are fed in the master.

    These are looked for as well: ``is_well``, false where the result is a reason for exit code 1;
    ``missing()``, the paths that were expected and not found, and ``missing_value``, with which
    each of them has a row in outputs; ``lines()``, the result for a person.
    """

    def add(self, path: str, value: Any, /) -> None:
        """Take the value of a file that is done."""

    def result(self) -> Mapping[str, Any]:
        """What it came to, as JSON can hold it: ``reduced`` in the summary."""


@runtime_checkable
class Task(Protocol):
    """A task with a face: what ``--task NAME`` makes, with ``--option KEY=VALUE`` as arguments.

    The class takes its options as keyword arguments, annotated and with defaults; a
    ``typing.Annotated`` text, or ``msgspec.Meta(description=…)``, says what an option means. The
    first line of its docstring says what it does. Its objects travel to workers by pickling. A
    package offers it as an entry point in the group ``fsworkers.tasks``.

    These are looked for as well, and are no part of the protocol because none is needed:

    - ``example``: a command line that shows it at work.
    - ``descriptors``: how many files it has open at once; where they are more than one, a worker
      waits for all of them before it calls the task, so that none is held while others lack.
    - ``each_of(paths)``: yields the value of one file after another, where many at a time are
      cheaper; an exception is of the file at hand, and it is called anew for those behind it.
    - ``prepare(preparation)``: called before anything is begun; what it returns is run instead.
    - ``still_holds(value)``: whether what is recorded of an unchanged file is still good, for
      ``--changed`` and a resumed run; called on what ``prepare`` returned.
    - ``place_outputs(to, roots)``: for one that makes files: called with the ``--to`` template, if
      there is one, and the PATHs as bytes; what it returns is run instead, and has the ``Outputs``
      that name its files as ``outputs``, or ``None`` there.
    - ``open_worker()``: called once in each worker; what it returns is called for each file.
    - ``reducer()``: makes an empty ``Reducer``.
    """

    @property
    def columns(self) -> Sequence[Column]:
        """What its values hold; a class attribute will do."""

    def __call__(self, path: str, /) -> Any:
        """Do it to one file, and return the value that its outcome tells."""
