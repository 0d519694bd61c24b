"""Loading all records of MIT-BIH: wfdb-python, the toolkit cold, the toolkit from its cache.

Each reads every signal and ``.atr``. wfdb checks no hash; the toolkit verifies those of the
registry, and the cache its own. The files are in the page cache for all three.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

from side_by_side import arguments, compare

from toolkit.data import store
from toolkit.ecg.cache import list_records, load_database


def main() -> None:
    options = arguments(__doc__)
    folder = options.data_dir / "mitdb"
    names = list_records(folder)
    files = store.dataset("mitdb").files.values()
    expected = {file.name: file.sha256 for file in files if file.sha256}
    warnings.simplefilter("ignore")  # wfdb calls what pandas 3 deprecates
    import wfdb

    def peer() -> None:
        for name in names:
            wfdb.rdrecord(str(folder / name), physical=False)
            wfdb.rdann(str(folder / name), "atr")

    with tempfile.TemporaryDirectory() as cache:
        ways = {
            "wfdb": peer,
            "loading MIT-BIH, verified": lambda: load_database(
                folder, expected=expected, use_cache=False
            ),
            "loading MIT-BIH from the verified cache": lambda: load_database(
                folder, expected=expected, cache_dir=Path(cache)
            ),
        }
        compare(ways, "wfdb", options, records=len(names))


if __name__ == "__main__":
    main()
