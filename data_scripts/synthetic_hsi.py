"""Write a synthetic hyperspectral scene with its truth, as ENVI files.

python data_scripts/synthetic_hsi.py OUT [--rows 100] [--columns 100] [--bands 60] [--classes 6]
    [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from toolkit.core.errors import ToolkitError
from toolkit.hsi import synthetic


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a synthetic hyperspectral scene.")
    parser.add_argument("out", type=Path)
    for name, default in (("rows", 100), ("columns", 100), ("bands", 60), ("classes", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    shape = (options.rows, options.columns, options.bands)
    try:
        made = synthetic.scene(*shape, options.classes, options.seed)
        header = synthetic.write(made, options.out)
    except ToolkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"synthetic scene {header}")


if __name__ == "__main__":
    main()
