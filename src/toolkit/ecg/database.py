"""The records of a run, verified, with the hashes that say which they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.data import store
from toolkit.ecg import cache, config
from toolkit.ecg.records import Record


@dataclass(frozen=True)
class Database:
    """Records by name, and facts for ``data.json``."""

    records: Mapping[str, Record]
    facts: Mapping[str, Any]
    synthetic: bool


def load(settings: config.EcgConfig) -> Database:
    """Read and verify the records that ``settings`` ask for, through the cache.

    Raises:
        DataError: they are missing or damaged.
    """
    folder = config.folder(settings)
    if settings.source == "mitdb":
        files = store.dataset("mitdb").files.values()
        expected = {file.name: file.sha256 for file in files if file.sha256}
        records = cache.load_database(folder, expected=expected)
        return Database(records, {"mitdb": store.data_hash("mitdb")}, synthetic=False)
    records = cache.load_database(folder, expected={})
    files_of = [path.name for path in folder.iterdir() if path.suffix in (".dat", ".atr", ".hea")]
    facts = {"synthetic": store.folder_hash(folder, files_of)}
    return Database(records, facts, synthetic=True)
