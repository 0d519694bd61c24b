"""Which of a recording's leads play the parts that a model was trained with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.core.errors import ConfigError, DataError, closest
from toolkit.ecg.records import Record

# Leads that look most like a modified lead II, best first; Holter leads are often just numbered.
_LIKE_II = ("mlii", "ii", "d2", "dii", "cm5", "v5", "ecg1", "ecg", "i", "v6", "v4")
_AUGMENTED = ("avr", "avl")  # of no use as the main lead


def choose(record: Record, wanted: Sequence[str], count: int) -> tuple[tuple[int, ...], list[str]]:
    """Columns of the main lead and of up to ``count`` − 1 others, and what to warn of.

    Args:
        record: the recording.
        wanted: leads by name or number (from 1), the main one first; empty for a choice.
        count: leads that the model takes.

    Raises:
        ConfigError: there is no such lead, or one is named twice.
        DataError: no lead is a voltage.
    """
    if wanted:
        columns = tuple(_column(record, text) for text in wanted)
        if len(set(columns)) < len(columns):
            raise ConfigError("one lead is named twice", where=f"--lead {wanted[-1]}")
        if len(columns) > count:
            what = f"{len(columns)} leads, but the model takes {count}"
            raise ConfigError(what, where=f"--lead {wanted[-1]}", hint="name fewer")
        return columns, _remarks(record, columns, count, chosen=True)
    voltages = [i for i in range(len(record.leads)) if _is_voltage(record, i)]
    if not voltages:
        what = f"no lead of {record.name} is a voltage: {', '.join(record.units)}"
        raise DataError(what, where=record.name)
    voltages = [i for i in voltages if _has_samples(record, i)] or voltages
    main = min(voltages, key=lambda i: (_rank(record.leads[i]), i))
    columns = (main, *[i for i in voltages if i != main][: count - 1])
    return columns, _remarks(record, columns, count, chosen=False)


def _column(record: Record, text: str) -> int:
    names = [lead.casefold() for lead in record.leads]
    if text.casefold() in names:
        return names.index(text.casefold())
    if text.isdecimal() and 1 <= int(text) <= len(names):
        return int(text) - 1
    what = f"record {record.name} has no lead {text!r}; {closest(text, record.leads)}"
    raise ConfigError(what, where="--lead", hint=f"name one, or a number from 1 to {len(names)}")


def _is_voltage(record: Record, column: int) -> bool:
    try:
        record.to_millivolts(record.signal_adu[:1, [column]], [column])
    except DataError:
        return False
    return True


def _has_samples(record: Record, column: int) -> bool:
    adu = record.signal_adu[:, column]
    return bool((adu != np.iinfo(adu.dtype).min).any())


def _rank(lead: str) -> int:
    name = lead.casefold().removeprefix("lead").removeprefix("ecg ").strip(" _-")
    if name in _LIKE_II:
        return _LIKE_II.index(name)
    return len(_LIKE_II) + (name in _AUGMENTED)


def _remarks(record: Record, columns: Sequence[int], count: int, chosen: bool) -> list[str]:
    main, remarks = record.leads[columns[0]], []
    if main.casefold() != "mlii":
        because = "as told" if chosen else f"chosen of {', '.join(record.leads)}"
        name = f"Lead {main} ({because})" if len(record.leads) > 1 else f"Lead {main}"
        remarks.append(
            f"{name} takes the place of MLII, which the model learnt from: "
            "classes are less certain if its beats look otherwise; --lead chooses another."
        )
    if len(columns) < count:
        remarks.append(
            f"One lead, where the model learnt from {count}: its shape features of the other are "
            "taken as typical, and fewer ectopic beats are told apart."
        )
    return remarks


def distinct(leads: Sequence[str]) -> tuple[str, ...]:
    """Names that differ: ``ECG``, ``ECG (2)``; a lead without a name is called by its number."""
    names: list[str] = []
    for number, lead in enumerate(leads, 1):
        name = base = lead or f"{number}"
        again = 1
        while name in names:
            name = f"{base} ({(again := again + 1)})"
        names.append(name)
    return tuple(names)
