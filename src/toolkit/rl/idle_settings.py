"""Settings that decide nothing: of another backbone or another kind of dispersion."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.rl.config import AcerConfig, RlRunConfig, TwinQConfig

_ADAPTIVE = ("floor", "ceiling", "alpha", "learning_rate", "latest", "hidden")


def idle(config: RlRunConfig) -> list[str]:
    """What ``config`` sets and nothing reads, such as ``dispersion.alpha`` where σ is fixed."""
    own, plain = config.model_dump(), RlRunConfig().model_dump()
    unread = [(part, key) for part, key in _unread(config) if own[part][key] != plain[part][key]]
    return [f"{part}.{key} = {own[part][key]}" for part, key in unread]


def _unread(config: RlRunConfig) -> Iterator[tuple[str, str]]:
    kind, critic = config.dispersion.kind, config.twin_q
    if kind != "adaptive":
        yield from (("dispersion", key) for key in _ADAPTIVE)
    if kind == "temperature":
        yield "dispersion", "std"
    if config.backbone == "acer":
        yield from (("twin_q", key) for key in TwinQConfig.model_fields)
        return
    yield from (("acer", key) for key in AcerConfig.model_fields)
    used = {
        "reach": critic.bound == "mode",
        "penalty": critic.bound == "penalty",
        "target_share": critic.critic != "batch-norm",
        "target_entropy": kind == "temperature",
    }
    yield from (("twin_q", key) for key, is_used in used.items() if not is_used)
