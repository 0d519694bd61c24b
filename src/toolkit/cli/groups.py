"""Groups of commands whose help leaves no summary unfinished."""

from __future__ import annotations

import click

_WHOLE = 1000  # characters; click cuts summaries to fit the line


class Group(click.Group):
    """A group that shows the whole first sentence of each command's help, on as many lines."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and summaries."""
        rows = [
            (name, command.get_short_help_str(_WHOLE))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
