from __future__ import annotations

import json

import pytest
import torch

from toolkit.core.errors import DataError, RunError
from toolkit.hsi import stored, synthetic
from toolkit.hsi.model import HsiModel
from toolkit.hsi.network_config import NetworkConfig, ResidualConfig

SMALL = NetworkConfig(residual=ResidualConfig(stem_channels=4, channels=(4,)))


@pytest.fixture(scope="module")
def scene():
    return synthetic.scene(10, 10, 6, 3, seed=0)


@pytest.fixture
def folder(scene, tmp_path):
    torch.manual_seed(0)
    model = HsiModel(SMALL, scene.bands, 3)
    model.set_statistics(range(6), range(1, 7))
    stored.save_model(tmp_path, model, scene, scene.classes)
    return tmp_path


def test_a_model_comes_back_with_its_weights_statistics_and_classes(scene, folder):
    model, about = stored.load_model(folder, SMALL)
    torch.manual_seed(0)
    again = HsiModel(SMALL, scene.bands, 3)
    assert model.head.weight.equal(again.head.weight)
    assert model.mean.tolist() == list(range(6)) and not model.training
    assert (about.classes, about.class_ids) == (scene.classes, scene.class_ids)
    assert (about.bands, about.outputs, about.scene) == (6, 3, scene.name)
    assert about.wavelengths_nm == pytest.approx(scene.wavelengths_nm)


def test_a_trunk_fits_another_head_and_leaves_it(scene, folder):
    torch.manual_seed(1)
    model = HsiModel(SMALL, scene.bands, 7)
    head = model.head.weight.clone()
    stored.load_trunk(folder, model)
    assert model.head.weight.equal(head)
    assert model.mean.tolist() == list(range(6))


def test_a_trunk_for_other_bands_is_refused_with_both_numbers(folder):
    with pytest.raises(DataError, match=r"9 bands.* 6"):
        stored.load_trunk(folder, HsiModel(SMALL, 9, 2))


def test_another_networks_weights_are_refused_by_name(folder):
    wider = NetworkConfig(residual=ResidualConfig(stem_channels=8, channels=(4,)))
    with pytest.raises(RunError, match="stem"):
        stored.load_model(folder, wider)


@pytest.mark.parametrize("file", ["model.safetensors", "model.json"])
def test_a_missing_file_is_an_unfinished_model(folder, file):
    (folder / file).unlink()
    with pytest.raises(RunError, match="no finished model"):
        stored.load_model(folder, SMALL)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"scene": 1}'])
def test_a_damaged_description_is_one_clear_error(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(RunError, match="cannot read"):
        stored.load_model(folder, SMALL)


def test_a_trunk_has_no_classes(scene, tmp_path):
    stored.save_model(tmp_path, HsiModel(SMALL, 6, (4, 5)), scene, classes=())
    said = json.loads((tmp_path / "model.json").read_text())
    assert said["classes"] == [] and said["class_ids"] == [] and said["outputs"] == 9
