"""Write synthetic ECG records with annotations.

python data_scripts/synthetic_ecg.py OUT [--records 8] [--minutes 5] [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from toolkit.core.errors import ToolkitError
from toolkit.ecg.synthetic import write_records


def main() -> None:
    parser = argparse.ArgumentParser(description="Write synthetic ECG records.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--records", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=5.0, help="length of each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        write_records(options.out, options.records, options.minutes, options.seed)
    except ToolkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"{options.records} synthetic records in {options.out}")


if __name__ == "__main__":
    main()
