"""The command line as the tests use it: in this process, or in one that may be killed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner, Result

from toolkit.cli.main import COMMANDS, cli
from toolkit.core.run import Run

REPOSITORY = Path(__file__).parents[1]


def call(*arguments: object) -> Result:
    """``toolkit ARGUMENTS`` in this process; a flood of threads or colours is kept out."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def answer(*arguments: object) -> dict[str, Any]:
    """What ``toolkit ARGUMENTS --json`` says; it must succeed."""
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return strict_json(result.stdout)


def strict_json(text: str) -> dict[str, Any]:
    """``text`` as the JSON that the standard defines: no NaN, nothing around it."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    value = json.loads(text, parse_constant=refuse)
    assert isinstance(value, dict)
    return value


def refused(code: int, *arguments: object, says: tuple[str, ...] = ()) -> str:
    """Check that ``toolkit ARGUMENTS`` fails with ``code`` and one clear error; returns it."""
    result = call(*arguments)
    check_refusal(result.exit_code, result.stdout, result.stderr, code, says)
    return result.stderr


def check_refusal(
    found: int, stdout: str, stderr: str, code: int, says: tuple[str, ...] = ()
) -> None:
    """One error on stderr, no traceback, nothing on stdout."""
    assert found == code, stderr
    assert stdout == ""
    assert stderr.count("Error: ") == 1, stderr
    assert "Traceback" not in stderr
    for text in says:
        assert str(text) in stderr


def spawn(*arguments: object, code: str = "", **options: Any) -> subprocess.Popen[str]:
    """``toolkit ARGUMENTS`` in a process of its own, after the statements ``code``."""
    start = f"{code}\nfrom toolkit.cli.main import main\nmain()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", start, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def commands() -> dict[tuple[str, ...], click.Command]:
    """Every command and group by its words, ``()`` being ``toolkit`` itself."""
    found: dict[tuple[str, ...], click.Command] = {(): cli}
    pending = [(name,) for name in COMMANDS]
    while pending:
        words = pending.pop()
        parent = found[words[:-1]]
        assert isinstance(parent, click.Group)
        command = parent.get_command(click.Context(parent), words[-1])
        assert command is not None, words
        found[words] = command
        if isinstance(command, click.Group):
            pending += [(*words, name) for name in command.list_commands(click.Context(command))]
    return found


def examples() -> list[str]:
    """Every example that any help text gives, each once."""
    lines = (line.strip() for command in commands().values() for line in _help_lines(command))
    return list(dict.fromkeys(line for line in lines if line.startswith("toolkit ")))


def _help_lines(command: click.Command) -> list[str]:
    return (command.help or "").partition("Examples:")[2].splitlines()


def readme_commands(path: Path = REPOSITORY / "README.md") -> list[str]:
    """The lines of the ```sh blocks of a Markdown file, continued lines joined."""
    text = path.read_text() if path.is_file() else ""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = (line.partition("  #")[0].strip() for line in lines)
    return [line for line in commands if line and not line.startswith("#")]


def parse(line: str) -> click.Context:
    """Read a command line as the toolkit would, without running it.

    Raises:
        click.ClickException: it cannot be read.
    """
    words = shlex.split(line, comments=True)[1:]
    known = commands()
    depth = next(n for n in range(len(words), -1, -1) if tuple(words[:n]) in known)
    command = known[tuple(words[:depth])]
    if isinstance(command, click.Group) and words[depth:] and not words[depth].startswith("-"):
        raise click.UsageError(f"No such command {words[depth]!r}")
    return command.make_context(" ".join(words[:depth]) or "toolkit", words[depth:])


SMALL = ("--set", "batch_size=32", "--threads", 1, "--device", "cpu", "--seed", 3)


def training(data: Path, steps: int, **sets: object) -> list[object]:
    """The words of a small training run."""
    words: list[object] = ["ecg", "train", "--preset", "synthetic", "--data-dir", data, *SMALL]
    for key, value in {"steps": steps, **sets}.items():
        words += ["--set", f"{key}={value}"]
    return words


def same(a: Path, b: Path) -> bool:
    """Whether two runs ended with the same weights and the same curve."""
    curves = [
        [{k: v for k, v in line.items() if k != "time_s"} for line in Run(path).metrics]
        for path in (a, b)
    ]
    weights = [(path / "model.safetensors").read_bytes() for path in (a, b)]
    return curves[0] == curves[1] and weights[0] == weights[1]
