"""Fixtures of the ECG tests: WFDB's own reader as oracle, and small records to damage."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType

import pytest

from toolkit.ecg.cache import load_database
from toolkit.ecg.records import Record
from toolkit.ecg.synthetic import write_records


@pytest.fixture(scope="session")
def wfdb() -> ModuleType:
    """wfdb-python, whose import warns under pandas 3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb
    return wfdb


@pytest.fixture(scope="session")
def mitdb(real_data: Path) -> Path:
    return real_data / "mitdb"


@pytest.fixture(scope="session")
def hashes(mitdb: Path) -> dict[str, str]:
    """File name → SHA-256, as PhysioNet publishes them."""
    lines = (mitdb / "SHA256SUMS.txt").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


@pytest.fixture(scope="session")
def real_records(mitdb: Path, hashes: dict[str, str]) -> dict[str, Record]:
    """All 48 records."""
    return load_database(mitdb, expected=hashes, use_cache=False)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic records of half a minute; not to be changed."""
    folder = tmp_path_factory.mktemp("synthetic") / "database"
    write_records(folder, records=4, minutes=0.5, seed=1)
    return folder


@pytest.fixture
def database(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the synthetic records that a test may damage."""
    folder = tmp_path / "database"
    folder.mkdir()
    for path in pristine.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder
