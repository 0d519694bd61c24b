"""What an encoder may be used for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import ConfigError
from toolkit.ecg.config import EcgFinetuneConfig, EcgPretrainConfig
from toolkit.ecg.transfer import _check


def checked(encoder: dict[str, Any], own: dict[str, Any]) -> None:
    _check(EcgPretrainConfig(**encoder), EcgFinetuneConfig(encoder=Path("encoder"), **own))


@pytest.mark.parametrize(
    ("encoder", "own", "says"),
    [
        ({"source": "synthetic"}, {}, "learnt from synthetic records"),
        ({}, {"protocol": "intra"}, "protocol ec57, not intra"),
        ({}, {"beats": {"fold": 0}}, "records that fold 0 holds out"),
        ({"leads": ("MLII",)}, {"leads": ("MLII", "*")}, "reads leads"),
        ({"protocol": "fragments17"}, {"protocol": "fragments17", "seed": 1}, "those of seed 1"),
    ],
)
def test_an_encoder_of_other_signals_is_refused(encoder, own, says) -> None:
    with pytest.raises(ConfigError, match=says):
        checked(encoder, own)


def test_an_encoder_of_the_same_signals_is_taken() -> None:
    checked({}, {"seed": 3})
    checked({"protocol": "fragments17", "seed": 3}, {"protocol": "fragments17", "seed": 3})
