"""The options of hsi: where they go, and what comes with them."""

from __future__ import annotations

import pytest
from commands import refused

from toolkit.cli.hsi_options import flags
from toolkit.hsi.recipes import recipe


@pytest.mark.parametrize("way", ["option", "set", "file"])
def test_a_network_brings_its_recipe_however_it_is_named(way, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('network.name = "lee2017"')
    given = {
        "option": {"network": "lee2017"},
        "set": {"sets": ("seed=1", "network.name='lee2017'"), "config_file": None},
        "file": {"config_file": file},
    }[way]
    for verb in ("train", "pretrain"):
        assert flags(verb, given)["base"] == recipe("lee2017", verb)
    assert flags("train", {"sets": ("seed=1",)})["base"] == recipe("residual", "train")


def test_a_network_that_is_no_table_is_left_to_the_settings_to_refuse(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('network = "lee2017"')
    assert flags("train", {"config_file": file})["base"] == recipe("residual", "train")
    refused(2, "hsi", "train", "--config", file, says=("network = 'lee2017'", str(file)))
