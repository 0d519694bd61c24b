"""The names of the baselines; apart from what they do, so that help and settings stay light."""

from __future__ import annotations

from typing import Literal, get_args

Method = Literal["hartree-fock", "ladder", "random", "beam", "annealing", "adapt"]
METHODS: tuple[Method, ...] = get_args(Method)
