r"""Lists of checksums as they come: which files they name, and with which digests.

Read are lines of ``sha256sum`` and its kin, as GNU (``HASH  name``) and BSD have them (``SHA256
(name) = HASH``), names with a newline escaped behind a leading ``\``; what ``hashdeep`` writes;
manifests of BagIt (RFC 8493); and outputs of the task ``checksum``, ``.jsonl``,
``.csv``, ``.db`` and ``.parquet``.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, NamedTuple

from fsworkers import graceful
from fsworkers.errors import BadOption
from fsworkers.names import printable
from fsworkers.tasks.own_tables import SUFFIXES, Unreadable, table_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGITS = {
    "sha256": 64, "blake2b": 128, "sha512": 128, "sha384": 96, "sha224": 56, "blake3": 64,
    "sha1": 40, "md5": 32, "xxh3_128": 32, "xxh3_64": 16,
}  # fmt: skip
"""How long digests are; of several that a list has, the first of these is compared."""

_BY_DIGITS = {64: "sha256", 128: "sha512", 96: "sha384", 56: "sha224", 40: "sha1", 32: "md5"}
_OTHER_NAMES = {
    "b2": "blake2b", "b3": "blake3", "xxh3": "xxh3_64", "xxh128": "xxh3_128",
    "blake2b-512": "blake2b", "sha2-224": "sha224", "sha2-256": "sha256", "sha2-384": "sha384",
    "sha2-512": "sha512",
}  # fmt: skip
_ALGORITHM_IN_NAME = re.compile(
    rf"(?<![a-z0-9])({'|'.join([*DIGITS, *_OTHER_NAMES])})(?:sums?)?(?![a-z0-9])"
)
_GNU = re.compile(rb"[ \t]*(\\?)([0-9A-Fa-f]+)[ \t]([ *]?)(.+)", re.DOTALL)
_BSD = re.compile(
    rb"[ \t]*(\\?)([A-Za-z][A-Za-z0-9_/-]*) ?\((.+)\)[ \t]*=[ \t]*([0-9A-Fa-f]+)", re.DOTALL
)
_BAG_NAME = re.compile(r"(?:tag)?manifest-[a-z0-9]+\.txt")
_BAG = re.compile(rb"([0-9A-Fa-f]+)[ \t]+\*?(.+)", re.DOTALL)
_is_digest = re.compile(r"[0-9a-f]+").fullmatch
_ESCAPES = {b"\\n": b"\n", b"\\r": b"\r", b"\\\\": b"\\"}

_COLUMNS = frozenset({"path", "path_bytes", "status", "digest", *DIGITS})

Row = tuple[int, bytes, dict[str, str]]
"""Number of the line, the name, and digests by algorithm; by an empty text where it is not said."""


class KnownFiles(NamedTuple):
    """What a list says, in a form that travels quickly.

    Attributes:
        path: The list's.
        algorithm: Whose digests these are; shorter ones of blake2b are of ``blake2b-BITS``.
        names: As the list has them, without what means nothing, as ``./``; joined by NUL.
        digests: Of all of them, one behind the other.
        is_bag: Whether names are relative to where the list is, whatever else there may be.
    """

    path: str
    algorithm: str
    names: str
    digests: bytes
    is_bag: bool

    def digest(self, at: int) -> bytes:
        """That of a file by its number."""
        length = _digits_of(self.algorithm) // 2
        return self.digests[at * length : (at + 1) * length]


class _Wrong(Exception):
    """A line of the list can't be understood."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")


def read_list(path: str, algorithm: str = "") -> KnownFiles:
    """Read a list.

    Args:
        path: Its name says the format, and the algorithm where lines do not.
        algorithm: That of lines that do not say it; the one to compare, of several.

    Raises:
        BadOption: It can't be read; the message names the line.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    shown = f"--option list={printable(path)}"
    try:
        with graceful.open(path, "rb") as file:
            data: bytes = b"" if path.lower().endswith(SUFFIXES) else file.read()
    except OSError as error:
        raise BadOption(f"{shown}: {error.strerror}") from error
    name = os.path.basename(path).lower()
    hints = _ALGORITHM_IN_NAME.findall(name)
    default = algorithm or (_OTHER_NAMES.get(hints[-1], hints[-1]) if hints else "")
    files: dict[bytes, dict[str, str]] = {}
    try:
        rows = _table_rows(path) if name.endswith(SUFFIXES) else _rows(name, data)
        for line, file_name, digests in rows:
            if b"\0" in file_name:
                raise _Wrong(line, "a name that no file can have")
            known = files.setdefault(os.path.normpath(file_name), {})
            for key, digest in digests.items():
                one = _algorithm_of(line, key or default, digest)
                if known.setdefault(one, digest) != digest:
                    what = "is there a second time, with another digest"
                    raise _Wrong(line, f"{printable(file_name)} {what}")
    except (_Wrong, Unreadable) as error:
        raise BadOption(f"{shown}: {error}") from error
    if not files:
        raise BadOption(f"{shown}: there are no checksums in it")
    chosen = _chosen(shown, files, algorithm)
    return KnownFiles(
        path,
        chosen,
        os.fsdecode(b"\0".join(files)),
        bytes.fromhex("".join(digests[chosen] for digests in files.values())),
        _BAG_NAME.fullmatch(name) is not None,
    )


def _algorithm_of(line: int, named: str, digest: str) -> str:
    """Whose digest this is.

    Raises:
        _Wrong: It is none, or nothing says whose.
    """
    if not (named == "" or _digits_of(named)) or not _is_digest(digest):
        raise _Wrong(line, "no checksum")
    count = len(digest)
    named = named or _BY_DIGITS.get(count, "")
    if not named:
        what = f"a digest of {count} digits may be anything"
        raise _Wrong(line, f"{what}; say what it is by --option algorithm=…")
    if named == "blake2b" and count < DIGITS[named] and count % 2 == 0:  # as of b2sum --length
        named = f"blake2b-{count * 4}"
    if (digits := _digits_of(named)) != count:
        raise _Wrong(line, f"a digest of {named} has {digits} digits, and not {count}")
    return named


def _digits_of(algorithm: str) -> int:
    """How long its digests are; 0 where there is no such algorithm."""
    name, _, bits = algorithm.partition("-")
    if not bits:
        return DIGITS.get(name, 0)
    is_one = name == "blake2b" and bits.isdecimal() and 0 < int(bits) <= 512
    return int(bits) // 8 * 2 if is_one else 0


def _chosen(shown: str, files: dict[bytes, dict[str, str]], wanted: str) -> str:
    """The algorithm that every file has a digest of.

    Raises:
        BadOption: There is none.
    """
    first = [*next(iter(files.values()))]
    left = [one for one in first if wanted in {"", one, one.partition("-")[0]}] or [wanted]
    left.sort(key=lambda one: [*DIGITS].index(one.partition("-")[0]))
    for name, digests in files.items():
        kept = [one for one in left if one in digests]
        if not kept:
            has, others = ", ".join(digests), " or ".join(left)
            what = f"{printable(name)} has a digest of {has}, and none of {others}"
            raise BadOption(f"{shown}: {what if wanted else what + ' as those before it'}")
        left = kept
    return left[0]


def _rows(name: str, data: bytes) -> Iterator[Row]:
    if data.startswith(b"%%%% HASHDEEP-"):
        return _hashdeep_rows(data)
    if name.endswith((".jsonl", ".ndjson")):
        return _json_rows(data)
    if name.endswith(".csv"):
        return _csv_rows(data)
    return _bag_rows(data) if _BAG_NAME.fullmatch(name) else _sums_rows(data)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    r"""Lines that are not blank, and their numbers.

    A ``\r`` at the end is no part of a name: those who write lists escape it there.
    """
    for number, line in enumerate(data.split(b"\n"), 1):
        if line and not line.isspace():
            yield number, line.removesuffix(b"\r")


def _sums_rows(data: bytes) -> Iterator[Row]:
    has_marks: bool | None = None  # one blank more or a * before each name, or before none
    for number, line in _lines(data):
        if line.startswith(b"#"):
            continue
        if (found := _GNU.fullmatch(line)) and (found[3] or not has_marks):
            escaped, digest, mark, name = found.groups()
            has_marks = bool(mark) if has_marks is None else has_marks
            name = name if has_marks else mark + name
            tag = ""
        elif found := _BSD.fullmatch(line):
            escaped, kind, name, digest = found.groups()
            tag = kind.decode().lower()
            tag = _OTHER_NAMES.get(tag, tag)
            if not _digits_of(tag):
                raise _Wrong(number, f"the algorithm {kind.decode()} is not known")
        else:
            raise _Wrong(number, "neither HASH, two spaces, name, nor ALGORITHM (name) = HASH")
        if escaped:
            name = re.sub(rb"\\(?:[nr\\]|\Z)?", lambda found: _ESCAPES.get(found[0], b"\0"), name)
        yield number, name, {tag: digest.decode().lower()}


def _hashdeep_rows(data: bytes) -> Iterator[Row]:
    columns: list[str] = []
    for number, line in _lines(data):
        if line.startswith(b"%%%% size,"):
            columns = line[5:].decode(errors="replace").split(",")
            if DIGITS.keys().isdisjoint(columns):
                others = ", ".join(columns[1:-1])
                raise _Wrong(number, f"digests of {others}; those of {', '.join(DIGITS)} are known")
        elif not line.startswith((b"%%%%", b"##")):
            fields = line.split(b",", len(columns) - 1)
            if not columns or len(fields) != len(columns):
                raise _Wrong(number, f"not {','.join(columns) or 'hashdeep'}")
            digests = {
                column: field.decode(errors="replace").lower()
                for column, field in zip(columns, fields, strict=True)
                if column in DIGITS
            }
            yield number, fields[-1], digests


def _bag_rows(data: bytes) -> Iterator[Row]:
    for number, line in _lines(data):
        found = _BAG.fullmatch(line)
        if found is None:
            raise _Wrong(number, "not HASH, space, name")
        name = re.sub(rb"%(0[ADad]|25)", lambda code: bytes([int(code[1], 16)]), found[2])
        yield number, name, {"": found[1].decode().lower()}


def _json_rows(data: bytes) -> Iterator[Row]:
    import msgspec  # noqa: PLC0415  (only for these)

    for number, line in _lines(data):
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Wrong(number, f"no JSON: {error}") from error
        yield from _own_row(number, row)


def _csv_rows(data: bytes) -> Iterator[Row]:
    import csv  # noqa: PLC0415  (only for these)
    import io  # noqa: PLC0415

    import msgspec  # noqa: PLC0415

    reader = csv.DictReader(io.StringIO(data.decode(errors="replace"), newline=""))
    for row in reader:
        value: Any = row.get("value")
        if value is None:
            value = {key: digest for key, digest in row.items() if key in DIGITS and digest}
        elif value.startswith("{"):
            try:
                value = msgspec.json.decode(value)
            except msgspec.DecodeError as error:
                raise _Wrong(reader.line_num, f"no JSON in the value: {error}") from error
        yield from _own_row(reader.line_num, {**row, "value": value or row.get("digest")})


def _table_rows(path: str) -> Iterator[Row]:
    for number, row in enumerate(table_rows(path, _COLUMNS), 1):
        value = {key: row[key] for key in DIGITS if row.get(key)}
        yield from _own_row(number, {**row, "value": value or row.get("digest")})


def _own_row(number: int, row: Any) -> Iterator[Row]:
    """A row of an output of ours; what was not done has no digest."""
    if not (isinstance(row, dict) and row.get("path") and row.get("status")):
        raise _Wrong(number, "no output of fsworkers: there is no path or status")
    if row["status"] != "done":
        return
    value = row.get("value")
    digests: dict[str, Any] = value if isinstance(value, dict) else {"": value}
    if not (digests and all(isinstance(one, str) for one in digests.values())):
        raise _Wrong(number, "the value is no checksum")
    name: bytes = row.get("path_bytes") or row["path"].encode()
    if row.get("path_b64"):
        name = b64decode(row["path_b64"])
    yield number, name, digests
