"""Fetch hyperspectral scenes of the registry; their hashes are recorded where none is known.

python data_scripts/hsi_scenes.py [NAME ...] [--from DIR|URL] [--to DIR]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from toolkit.core.errors import ToolkitError
from toolkit.data import store
from toolkit.data.fetch import fetch


def main() -> None:
    known = [name for name, each in store.registry().items() if each.application == "hsi"]
    parser = argparse.ArgumentParser(description="Fetch and verify hyperspectral scenes.")
    parser.add_argument("names", nargs="*", default=known, help=", ".join(known))
    parser.add_argument("--from", dest="source", help="a mirror: a folder or an http(s) address")
    parser.add_argument("--to", dest="target", type=Path, help="data folder")
    options = parser.parse_args()
    damaged = 0
    for name in options.names:
        try:
            folder = fetch(name, options.target, options.source)
        except ToolkitError as error:
            print(f"Error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        check = store.verify(name, folder)
        damaged += not check.ok
        print(f"{name}: {folder}, {'intact' if check.ok else 'NOT intact'}")
    sys.exit(damaged > 0)


if __name__ == "__main__":
    main()
