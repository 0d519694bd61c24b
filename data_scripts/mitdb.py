"""Fetch and verify the MIT-BIH Arrhythmia Database.

python data_scripts/mitdb.py [--from DIR|URL] [--to DIR]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from toolkit.core.errors import ToolkitError
from toolkit.data import store
from toolkit.data.fetch import fetch


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch and verify the MIT-BIH records.")
    parser.add_argument("--from", dest="source", help="a mirror: a folder or an http(s) address")
    parser.add_argument("--to", dest="target", type=Path, help="data folder")
    options = parser.parse_args()
    try:
        folder = fetch("mitdb", options.target, options.source)
    except ToolkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    check = store.verify("mitdb", folder)
    print(f"{folder}: {check.files} files, {'intact' if check.ok else 'NOT intact'}")
    sys.exit(not check.ok)


if __name__ == "__main__":
    main()
