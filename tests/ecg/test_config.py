"""Settings that could not be trained with, or would look at the test part, are refused at once."""

from __future__ import annotations

import pytest

from toolkit.core.config import load
from toolkit.core.errors import ConfigError
from toolkit.ecg.config import PRESETS, EcgConfig, EcgPretrainConfig, EcgTrainConfig


@pytest.mark.parametrize(
    ("made", "setting", "says"),
    [
        (EcgPretrainConfig, "monitor=val/loss", "test records"),
        (EcgPretrainConfig, "hiding.forecast_s=1.5", "windows of 1.4 s"),
        (EcgPretrainConfig, "hiding.low_fs_hz=0.5", "low_fs_hz"),
        (EcgTrainConfig, "beats.class_shares=[0, 0, 0, 0]", "no beat would be drawn"),
        (EcgTrainConfig, "beats.class_shares=[1, -1, 1, 1]", "class_shares"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    made: type[EcgConfig], setting: str, says: str
) -> None:
    folder = PRESETS / "pretrain" if made is EcgPretrainConfig else PRESETS
    with pytest.raises(ConfigError, match=says):
        load(made, preset=folder / "ec57.toml", sets=[setting])


def test_windows_of_fragments_leave_more_to_forecast() -> None:
    sets = ["hiding.forecast_s=2", "hiding.target=gap"]
    assert load(EcgPretrainConfig, preset=PRESETS / "pretrain" / "fragments17.toml", sets=sets)
