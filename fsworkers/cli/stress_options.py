"""The options of ``fsworkers stress``: how each is written, and what its help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# fmt: off
Files = Annotated[int, typer.Option("--files", help="Files of the generated tree.")]
Size = Annotated[str, typer.Option("--size", help="Size of each, as 4k or 1M.")]
Workers = Annotated[int | None, typer.Option("-j", "--workers", help="Worker processes on either side.", show_default="one per processor, at most 8")]
MaxOpenFiles = Annotated[int, typer.Option("--max-open-files", help="Descriptor limit (RLIMIT_NOFILE) of each worker.")]
Concurrency = Annotated[int, typer.Option("--concurrency", help="Files each worker wants open at one time.")]
Duration = Annotated[float, typer.Option("--duration", help="Seconds that each scenario goes on; 0 for one round.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Decides contents, orders and victims.", show_default="a new one, which is told")]
Scenarios = Annotated[list[str] | None, typer.Option("--scenario", metavar="NAME", help="Only this one. Repeatable.")]
List = Annotated[bool, typer.Option("--list", help="List the scenarios and what each proves.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all measurements here; - for stdout.")]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE.html", help="Write one self-contained page with plots.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the generated tree, and say where it is.")]
Call = Annotated[str | None, typer.Option("--call", metavar="MODULE:FUNCTION", help="Attack your own function instead; with --input.")]
Input = Annotated[str | None, typer.Option("--input", metavar="DIR", help="The files that --call is run over.")]
# fmt: on
