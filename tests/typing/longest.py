# longest.py
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fsworkers import Column


@dataclass
class LongestLine:
    """How long the longest line of each file is."""

    tab: Annotated[int, "columns that a tab takes"] = 8
    columns: ClassVar = (Column("length", "integer", "columns"),)

    def __call__(self, path: str) -> int:
        with open(path, encoding="utf-8", errors="replace") as file:
            return max((len(line.rstrip("\n").expandtabs(self.tab)) for line in file), default=0)

    def reducer(self) -> "Longest":
        return Longest()


class Longest:
    length, path = 0, ""

    def add(self, path: str, length: int) -> None:
        self.length, self.path = max((self.length, self.path), (length, path))

    def result(self) -> dict[str, object]:
        return {"length": self.length, "path": self.path}
