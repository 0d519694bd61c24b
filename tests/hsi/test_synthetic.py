"""Synthetic scenes: reproducible, learnable, readable, whole or absent."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import answer, refused
from sklearn.neighbors import NearestCentroid

from toolkit.core.errors import ConfigError, RunError
from toolkit.hsi import scenes, synthetic
from toolkit.hsi.scene import Georeference, Scene


@pytest.fixture(scope="module")
def made() -> Scene:
    return synthetic.scene(40, 50, 30, 4, seed=3)


def test_the_same_seed_gives_the_same_scene(made: Scene) -> None:
    again, other = (synthetic.scene(40, 50, 30, 4, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(again.cube, made.cube)
    np.testing.assert_array_equal(again.labels, made.labels)
    assert not np.array_equal(other.cube, made.cube)


def test_it_is_a_scene_with_every_class(made: Scene) -> None:
    assert made.cube.shape == (40, 50, 30) and made.cube.dtype == np.float32
    assert made.labels is not None and made.labels.dtype == np.int32
    assert (made.counts() > 0).all() and 0 < made.counts().sum() < 40 * 50
    assert np.isfinite(made.cube).all()
    assert len(set(made.colours)) == 4 and "synthetic" in made.notes[0]


@pytest.mark.parametrize("shape", [(1, 16, 1, 2), (4, 4, 3, 2), (9, 9, 2, 10), (200, 3, 5, 7)])
def test_small_scenes_have_every_class_too(shape: tuple[int, int, int, int]) -> None:
    for seed in range(5):
        assert (synthetic.scene(*shape, seed=seed).counts() > 0).all()


def test_how_many_rows_are_made_together_changes_no_spectrum(
    made: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "_BLOCK", 1)
    by_row = synthetic.scene(40, 50, 30, 4, seed=3, noise=0)
    monkeypatch.undo()
    np.testing.assert_array_equal(by_row.cube, synthetic.scene(40, 50, 30, 4, seed=3, noise=0).cube)
    np.testing.assert_array_equal(by_row.labels, made.labels)


def test_spectra_tell_the_classes_apart_and_noise_hides_them() -> None:
    clean, noisy = (synthetic.scene(60, 60, 40, 5, 1, noise=noise) for noise in (0.01, 3.0))
    assert accuracy(clean) > 0.9 > 0.6 > accuracy(noisy)


def accuracy(scene: Scene) -> float:
    assert scene.labels is not None
    spectra, labels = scene.cube[scene.labels > 0], scene.labels[scene.labels > 0]
    spectra = spectra / spectra.mean(1, keepdims=True)  # brightness tells nothing
    return float(
        NearestCentroid().fit(spectra[::2], labels[::2]).score(spectra[1::2], labels[1::2])
    )


def test_neighbours_share_a_field(made: Scene) -> None:
    labels = made.labels
    assert labels is not None
    both = (labels[:, 1:] > 0) & (labels[:, :-1] > 0)
    assert (labels[:, 1:] == labels[:, :-1])[both].mean() > 0.9


def test_what_is_written_reads_back(made: Scene, tmp_path: Path) -> None:
    where = Georeference((2.0, 0.0, 500000.0, 0.0, -2.0, 4000000.0), "EPSG:32616")
    header = synthetic.write(replace(made, georeference=where), tmp_path / "out")
    read = scenes.load(str(header), labels=tmp_path / "out" / "synthetic_gt.hdr")
    np.testing.assert_array_equal(read.cube, made.cube)
    np.testing.assert_array_equal(read.labels, made.labels)
    assert (read.classes, read.colours) == (made.classes, made.colours)
    assert read.georeference == where
    assert read.wavelengths_nm == pytest.approx(made.wavelengths_nm)


def test_what_is_there_is_not_overwritten(made: Scene, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        synthetic.write(made, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failure_leaves_nothing(
    made: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(synthetic.envi_writing, "write_classes", failing)
    with pytest.raises(RunError, match="No space left"):
        synthetic.write(made, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "numbers",
    [
        {"rows": 0}, {"bands": 0}, {"classes": 0}, {"rows": 3, "columns": 3},
        {"noise": -1.0}, {"field_px": 0.0},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        synthetic.scene(**{"rows": 9, "columns": 9, "bands": 5, "classes": 2, "seed": 0} | numbers)


SIZE = ("--rows", 20, "--columns", 30, "--bands", 8, "--classes", 3, "--seed", 5)


def test_the_command_writes_the_same_scene(tmp_path: Path) -> None:
    result = answer("data", "synthesize", "hsi", tmp_path / "out", *SIZE)
    read = scenes.load(result["scene"], labels=Path(result["labels"]))
    np.testing.assert_array_equal(read.cube, synthetic.scene(20, 30, 8, 3, 5).cube)
    assert (result["rows"], result["columns"], result["bands"]) == (20, 30, 8)
    refused(2, "data", "synthesize", "hsi", tmp_path / "out", *SIZE, says=("not empty",))


def test_memory_is_little_more_than_the_cube() -> None:
    tracemalloc.start()
    try:
        made = synthetic.scene(600, 600, 100, 8, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < made.cube.nbytes + 160e6
