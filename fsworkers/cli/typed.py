"""What is typed is strongest: it switches off what a file has set, and replaces its choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperOption

from fsworkers.cli.config import without_misfits, without_replaced

if TYPE_CHECKING:
    import typer


class Command(TyperCommand):
    """A command with an opposite to each flag, which help, being long enough, leaves out."""

    def make_parser(self, ctx: Any) -> Any:
        """Add ``--no-changed`` to ``--changed``, and ``--install`` to ``--no-install``."""
        parser = super().make_parser(ctx)
        flags = [one for one in self.params if isinstance(one, TyperOption) and one.is_bool_flag]
        names = {name for one in self.params for name in one.opts}
        for flag in flags:
            name = max(flag.opts, key=len).removeprefix("--")
            opposite = f"--no-{name}" if name[:3] != "no-" else f"--{name[3:]}"
            if not flag.secondary_opts and opposite not in names:
                parser.add_option(
                    obj=flag, opts=[opposite], dest=flag.name, action="store_const", const=False
                )
        return parser

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read what is typed, and leave out what that replaces."""
        if ctx.default_map:
            typed, _, _ = self.make_parser(ctx).parse_args(list(args))
            left = without_replaced(ctx.default_map, typed)
            ctx.default_map = without_misfits(left, typed, ctx.obj)
        return super().parse_args(ctx, args)
