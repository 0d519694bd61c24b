"""The table of commands. Nothing heavy is imported before a command is chosen."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from toolkit import __version__

COMMANDS = {  # name: (module below toolkit.cli, one-line summary)
    "ecg": ("ecg", "Arrhythmia classification of ECG (MIT-BIH)."),
    "hsi": ("hsi", "Hyperspectral classifiers from a handful of labels."),
    "rl": ("rl", "Continuous control: actor-critic with replay and adaptive dispersion."),
    "vqe": ("vqe", "Short circuits for the ground states of molecules."),
    "data": ("data", "List, fetch, verify and synthesize data sets."),
    "runs": ("runs", "List, show, compare, resume, report on, verify and prune runs."),
    "sweep": ("sweep", "Run a command over seeds and settings, in processes."),
    "demo": ("demo", "Train on data the toolkit makes itself, ending in one page."),
    "doctor": ("doctor", "Check versions, devices, data and disk."),
}


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End well when the reader of our output leaves, as ``head`` does.

    Click would exit with 1, and so does rich, which turns the error into a SystemExit.
    """
    try:
        yield
    except (BrokenPipeError, SystemExit) as error:
        if BrokenPipeError not in (type(error), type(error.__context__)):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(0) from None


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command ``cmd_name``."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"toolkit.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the summaries without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the closest command when the given one is unknown."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from toolkit.core.errors import closest

            ctx.fail(f"No such command {args[0]!r}; {closest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the words; --help is printed here."""
        with _reader_may_leave():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Import and run the chosen command."""
        with _reader_may_leave():
            return super().invoke(ctx)

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run, and leave with the exit code of the design."""
        arguments = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in arguments or bool(os.environ.get("TOOLKIT_DEBUG"))
        arguments = [argument for argument in arguments if argument != "--debug"]
        extra.pop("standalone_mode", None)
        sys.exit(self._guarded(arguments, debug, extra))

    def _guarded(self, arguments: list[str], debug: bool, extra: dict[str, Any]) -> int:
        from toolkit.core.errors import ToolkitError

        try:
            code = super().main(arguments, standalone_mode=False, **extra)
            return code if isinstance(code, int) else 0
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            return 130
        except ToolkitError as error:
            return self._report(f"Error: {error}", error.exit_code, debug)
        except Exception as error:
            text = (
                f"Error: a bug: {type(error).__name__}: {error}\n  try:   --debug for a traceback"
            )
            return self._report(text, 70, debug)

    @staticmethod
    def _report(text: str, code: int, debug: bool) -> int:
        if debug:
            import traceback

            traceback.print_exc()
        click.echo(text, err=True)
        return code


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="toolkit")
def cli() -> None:
    """Four published learning methods over one core.

    Every command takes --help; --debug shows tracebacks.

    \b
    Examples:
      toolkit demo
      toolkit data fetch mitdb
      toolkit ecg train --preset ec57
    """


def main() -> NoReturn:
    """Entry point of the ``toolkit`` script."""
    cli.main(prog_name="toolkit")
