"""The networks by name. Each is a trunk; the head is :class:`toolkit.hsi.model.HsiModel`'s."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.core.errors import ConfigError
from toolkit.hsi.network_config import NAMES, Name, NetworkConfig, patch_of
from toolkit.hsi.networks.hamida import Hamida2018
from toolkit.hsi.networks.hu import Hu2015
from toolkit.hsi.networks.lee import Lee2017
from toolkit.hsi.networks.li import Li2017
from toolkit.hsi.networks.residual import Residual
from toolkit.hsi.networks.trunk import Trunk

__all__ = ["NAMES", "TRUNKS", "Trunk", "build", "patch_of"]

Kind = type[Hu2015] | type[Lee2017] | type[Li2017] | type[Hamida2018] | type[Residual]

TRUNKS: Mapping[Name, Kind] = {
    "residual": Residual,
    "hu2015": Hu2015,
    "lee2017": Lee2017,
    "li2017": Li2017,
    "hamida2018": Hamida2018,
}


def build(config: NetworkConfig, bands: int) -> Trunk:
    """The trunk of the network ``config.name``; its weights come from torch's current generator.

    Args:
        config: name and settings.
        bands: channels of the input.

    Raises:
        ConfigError: fewer bands than the network's spectral kernels span.
    """
    kind = TRUNKS[config.name]
    if bands < kind.min_bands:
        raise ConfigError(
            f"{config.name} needs {kind.min_bands} bands or more, the scene has {bands}",
            where="network.name",
            hint="--network residual",
        )
    return kind(config, bands)
