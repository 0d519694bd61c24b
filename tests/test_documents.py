"""The tables of README.md and of the model cards are what their results say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def test_no_table_is_typed_or_stale() -> None:
    script = REPOSITORY / "tests" / "benchmarks" / "readme_tables.py"
    check = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr


def test_every_picture_of_the_readme_is_there() -> None:
    import re

    text = (REPOSITORY / "README.md").read_text()
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (REPOSITORY / path).is_file(), path
