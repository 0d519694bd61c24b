from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from toolkit.core import rng
from toolkit.core.errors import DataError
from toolkit.core.progress import Silent
from toolkit.ecg.stress.noise import KINDS, recorded, synthetic
from toolkit.ecg.stress.protocol import noise_power, noisy, qrs_height_mv, stressed
from toolkit.ecg.stress.trial import stress
from toolkit.ecg.synthetic import synthesize, write_records

FS_HZ = 360.0
BANDS = {"bw": (0.0, 1.0), "em": (0.2, 20.0), "ma": (10.0, 130.0)}


def made(kind: str, minutes: float = 3) -> np.ndarray:
    return synthetic(kind, round(60 * minutes * FS_HZ), FS_HZ, rng.generator(0, "test"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_unit_power_in_its_band(kind: str) -> None:
    x = made(kind)
    assert x.shape[0] == 2 and np.square(x).mean(axis=1) == pytest.approx([1, 1])
    hz, power = signal.welch(x[0], FS_HZ, nperseg=1 << 13)
    low, high = BANDS[kind]
    assert power[(hz >= low) & (hz <= high)].sum() > 0.9 * power.sum()


def test_noise_comes_two_minutes_in_four_after_five() -> None:
    where = noisy(round(14 * 60 * FS_HZ), FS_HZ)
    minutes = where.reshape(14, -1).mean(axis=1)
    assert minutes.tolist() == [0] * 5 + [1, 1, 0, 0, 1, 1, 0, 0, 1]


@pytest.fixture(scope="module")
def record():
    return synthesize(1, minutes=7.5)


@pytest.mark.parametrize("snr_db", [18.0, 0.0, -6.0])
def test_the_ratio_that_is_asked_for_is_reached(record, snr_db: float) -> None:
    noise = made("em", 7.5)[:, : record.n_samples]
    heard = stressed(record, noise, snr_db)
    where = noisy(record.n_samples, record.fs_hz)
    clean, loud = (one.millivolts(record.leads[:1])[0] for one in (record, heard))
    added, own = loud - clean, noise[0]
    scale = added[where].std() / own[where].std()
    found = 10 * np.log10(qrs_height_mv(record, 0) ** 2 / 8 / scale**2 / noise_power(noise[0], 360))
    assert found == pytest.approx(snr_db, abs=0.1)


def test_the_signal_does_not_jump_where_noise_begins_and_ends(record) -> None:
    noise = made("bw", 7.5)[:, : record.n_samples]
    where = noisy(record.n_samples, record.fs_hz)
    clean, loud = (
        one.millivolts(record.leads[:1])[0] for one in (record, stressed(record, noise, -6))
    )
    added, one_adu = loud - clean, 1 / record.gain[0]
    begin, end = np.flatnonzero(np.diff(where))[:2] + 1
    assert not added[: begin + 1].any()
    assert np.ptp(added[begin:end]) > 0.5
    quiet = added[end : end + round(60 * record.fs_hz)]
    np.testing.assert_allclose(quiet, quiet[0], atol=1e-5)  # the offset stays
    assert abs(quiet[0] - added[end - 1]) < 2 * one_adu + np.abs(np.diff(added[begin:end])).max()


def test_noise_is_measured_on_its_first_five_minutes() -> None:
    noise = np.random.default_rng(0).normal(size=round(400 * FS_HZ))
    louder = np.where(np.arange(len(noise)) < round(300 * FS_HZ), noise, 9 * noise)
    assert noise_power(louder, FS_HZ) == noise_power(noise[: round(300 * FS_HZ)], FS_HZ)


def test_the_height_is_that_of_the_normal_complexes(record) -> None:
    height = qrs_height_mv(record, 0)
    gained = replace(record, gain=tuple(g / 2 for g in record.gain))
    assert 0.3 < height < 4
    assert qrs_height_mv(gained, 0) == pytest.approx(2 * height, rel=1e-5)


def test_missing_samples_stay_missing(record) -> None:
    adu = record.signal_adu.copy()
    adu[-500:-400, 0] = np.iinfo(adu.dtype).min
    heard = stressed(replace(record, signal_adu=adu), made("ma", 7.5), 0)
    assert (heard.signal_adu[-500:-400, 0] == np.iinfo(adu.dtype).min).all()


def test_a_record_that_ends_before_the_noise_begins_is_refused() -> None:
    with pytest.raises(DataError, match="noise begins after 300"):
        stressed(synthesize(0, minutes=0.5), made("bw", 1), 6)


def test_recorded_noise_wraps_and_is_resampled(tmp_path: Path) -> None:
    write_records(tmp_path, records=1, minutes=0.5, seed=0)
    (header,) = tmp_path.glob("*.hea")
    for path in list(tmp_path.glob(header.stem + ".*")):
        text = path.read_bytes().replace(header.stem.encode(), b"em")
        path.with_name("em" + path.suffix).write_bytes(text)
    n = round(70 * FS_HZ)
    found = recorded(tmp_path, "em").fitted(n, FS_HZ)
    assert found.shape == (2, n)
    period = round(30 * FS_HZ)
    np.testing.assert_allclose(found[:, :period], found[:, period : 2 * period], atol=1e-9)
    assert recorded(tmp_path, "em").fitted(1000, 250.0).shape == (2, 1000)


def test_a_missing_noise_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no noise record bw\.hea"):
        recorded(tmp_path, "bw")


def test_a_missing_noise_record_is_missed_before_anything_is_scored(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no noise record em\.hea"):
        stress(None, {}, str(tmp_path), ["em"], [0.0], Silent())  # type: ignore[arg-type]
