"""The options of ``fsworkers process`` by which files are left out, as ``fd`` names them."""

from __future__ import annotations

from typing import Annotated

import typer

_WHICH = "Which files"

# fmt: off
Extensions = Annotated[list[str] | None, typer.Option("-e", "--extension", metavar="EXT", help="Only files that end in .EXT, in capitals or not. Repeatable.", rich_help_panel=_WHICH)]
Regexes = Annotated[list[str] | None, typer.Option("--regex", metavar="REGEX", help="Only files in whose name this is found; in the path below PATH if it holds a slash. Repeatable.", rich_help_panel=_WHICH)]
Gitignore = Annotated[bool, typer.Option("--gitignore", help="Leave out what git ignores, and .git.", rich_help_panel=_WHICH)]
IgnoreFiles = Annotated[list[str] | None, typer.Option("--ignore-file", metavar="FILE", help="Leave out what the patterns in FILE say, written as in a .gitignore. Repeatable.", rich_help_panel=_WHICH)]
MinDepth = Annotated[int, typer.Option("--min-depth", metavar="N", help="Only files from this depth on; 2 leaves out those right in a PATH.", show_default=False, rich_help_panel=_WHICH)]
OneFileSystem = Annotated[bool, typer.Option("--one-file-system", help="Do not enter other file systems.", rich_help_panel=_WHICH)]
ChangedWithin = Annotated[str | None, typer.Option("--changed-within", metavar="TIME", help="Only files modified in the last 10min, 2h or 3d, or after 2026-01-31 or '2026-01-31 12:00:00'.", rich_help_panel=_WHICH)]
ChangedBefore = Annotated[str | None, typer.Option("--changed-before", metavar="TIME", help="Only files modified before that.", rich_help_panel=_WHICH)]
Kinds = Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Only files that are empty, executable, or empty,executable.", rich_help_panel=_WHICH)]
OwnerName = Annotated[str | None, typer.Option("--owner", metavar="USER:GROUP", help="Only files of this user, group (:GROUP) or both, by name or number; !USER is anybody else.", rich_help_panel=_WHICH)]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N files that are found.", rich_help_panel=_WHICH)]
SampleSize = Annotated[str | None, typer.Option("--sample", metavar="N|N%", help="Only N files, or N% of them, chosen by chance: the same ones each time.", rich_help_panel=_WHICH)]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Another choice for --sample.", rich_help_panel=_WHICH)]
# fmt: on
