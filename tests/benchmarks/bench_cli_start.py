"""Starting the command line: ``toolkit --help`` against a bare import of click."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from side_by_side import arguments, compare


def main() -> None:
    options = arguments(__doc__)
    toolkit = str(Path(sys.executable).with_name("toolkit"))
    commands = {
        "import click": [sys.executable, "-c", "import click"],
        "toolkit --help": [toolkit, "--help"],
        "toolkit ecg train --help": [toolkit, "ecg", "train", "--help"],
    }

    def runner(command: list[str]) -> object:
        return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    ways = {name: runner(command) for name, command in commands.items()}
    compare(ways, "import click", options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
