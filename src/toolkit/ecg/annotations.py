"""Strict, vectorised reader, and writer, of MIT-format annotation files (``.atr`` and the like).

The format is that of annot(5) in the WFDB Applications Guide: little-endian 16-bit words whose
upper six bits are a code and lower ten a value. Codes 1 to 49 are annotations and the value is
the time since the one before; 59 to 63 modify (SKIP, NUM, SUB, CHN, AUX); a zero word ends the
file and must be its last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.ecg.header import damaged, read_verified

_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63
_NOTE = 22
_MAX_FILE_BYTES = 64 << 20  # a day of annotations is about 1 MiB

SYMBOLS: dict[int, str] = dict(enumerate("NLRaVFJASEj/Q~", 1)) | {16: "|"}
SYMBOLS |= dict(enumerate('sT*D"=pB^t+u?![]en@xf()r', 18))
"""Mnemonic of each annotation code (ecgcodes.h of the WFDB library)."""

_CODE_OF_SYMBOL = {symbol: code for code, symbol in SYMBOLS.items()}
_SYMBOL_OF_CODE = np.array([SYMBOLS.get(code, "") for code in range(64)])
_LAST_CODE = 49  # codes up to it that have no mnemonic are free for use
_NAME_OF_CODE = np.array([SYMBOLS.get(code, f"[{code}]") for code in range(64)])


@dataclass(frozen=True, eq=False)
class Annotations:
    """Annotations of one record, in time order; every field has length n.

    Attributes:
        sample: int64, sample index at which each is placed.
        symbol: one character each, a value of :data:`SYMBOLS`; ``[42]`` for code 42, which has
            none, where such were to be kept.
        subtype, chan, num: int64; ``chan`` and ``num`` carry over from one to the next, as
            annot(5) has it.
        aux: text without its trailing NULs, ``""`` where there is none.
    """

    sample: NDArray[np.int64]
    symbol: NDArray[np.str_]
    subtype: NDArray[np.int64]
    chan: NDArray[np.int64]
    num: NDArray[np.int64]
    aux: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sample)


def read_annotations(
    path: Path,
    *,
    n_samples: int | None = None,
    fs_hz: float | None = None,
    expected_sha256: str | None = None,
    keep_unknown: bool = False,
) -> Annotations:
    """Read and check an annotation file such as ``100.atr``.

    Args:
        path: the file.
        n_samples: length of the record; annotations must lie before it.
        fs_hz: sampling frequency of the record, compared with the file's, if it states one.
        expected_sha256: hash that the file must have, where known.
        keep_unknown: accept codes up to 49 that no mnemonic is known for.

    Raises:
        DataError: as :func:`toolkit.ecg.header.read_verified` and :func:`parse_annotations`.
    """
    data = read_verified(path, expected_sha256, _MAX_FILE_BYTES)
    return parse_annotations(
        data, n_samples=n_samples, fs_hz=fs_hz, source=str(path), keep_unknown=keep_unknown
    )


def parse_annotations(
    data: bytes,
    *,
    n_samples: int | None = None,
    fs_hz: float | None = None,
    source: str = "atr",
    keep_unknown: bool = False,
) -> Annotations:
    """Parse the bytes of an annotation file; ``source`` names it in errors.

    Raises:
        DataError: odd length, no end-of-file word or anything after it, an unknown code, a
            modifier without an annotation, or times that run backwards or out of the record.
    """
    if len(data) % 2:
        raise damaged(f"odd length of {len(data)} bytes", source)
    words = np.frombuffer(data, "<u2").astype(np.int64)
    heads = _heads(words, source)
    code, value = words[heads] >> 10, words[heads] & 1023
    is_annotation = code < _SKIP
    _check_known(code[is_annotation], keep_unknown, source)
    _check_grammar(code, value, is_annotation, source)
    time = np.cumsum(np.where(is_annotation, value, _intervals(words, heads, code)))
    owner = np.cumsum(is_annotation) - 1  # the annotation that each modifier belongs to
    n = int(is_annotation.sum())
    aux = [""] * n
    for row in np.flatnonzero(code == _AUX).tolist():
        aux[owner[row]] = _text(data, 2 * int(heads[row]) + 2, int(value[row]))
    signed = (value & 255) - ((value & 128) << 1)
    found = Annotations(
        time[is_annotation],
        (_NAME_OF_CODE if keep_unknown else _SYMBOL_OF_CODE)[code[is_annotation]],
        _placed(signed, owner, code == _SUB, n),
        _carried(value & 255, owner, code == _CHN, n),
        _carried(signed, owner, code == _NUM, n),
        tuple(aux),
    )
    kept = _without_preamble(found, code[is_annotation], fs_hz, source)
    _check_times(kept.sample, n_samples, source)
    return kept


def encode_annotations(annotations: Annotations) -> bytes:
    """The bytes of an annotation file; :func:`parse_annotations` gives the same back.

    Raises:
        DataError: a text is longer than 255 characters, or the result would not be valid.
    """
    words: list[int] = []
    before = chan = num = 0
    for row, sample in enumerate(annotations.sample.tolist()):
        interval, before = sample - before, sample
        if not 0 <= interval <= 1023:
            words += [_SKIP << 10, (interval >> 16) & 0xFFFF, interval & 0xFFFF]
            interval = 0
        words.append(_CODE_OF_SYMBOL[str(annotations.symbol[row])] << 10 | interval)
        if annotations.subtype[row]:
            words.append(_SUB << 10 | int(annotations.subtype[row]) & 255)
        if annotations.chan[row] != chan:
            words.append(_CHN << 10 | (chan := int(annotations.chan[row])) & 255)
        if annotations.num[row] != num:
            words.append(_NUM << 10 | (num := int(annotations.num[row])) & 255)
        words += _aux_words(annotations.aux[row])
    data = np.array([*words, 0], "<u2").tobytes()
    parse_annotations(data, source="annotations to write")
    return data


def _aux_words(text: str) -> list[int]:
    if not text:
        return []
    payload = text.encode("latin-1", "replace")
    if len(payload) > 255:
        raise damaged(f"annotation text of {len(payload)} bytes, at most 255 fit", text[:40])
    padded = np.frombuffer(payload + b"\0" * (len(payload) % 2), "<u2")
    return [_AUX << 10 | len(payload), *padded.tolist()]


def _heads(words: NDArray[np.int64], source: str) -> NDArray[np.intp]:
    """Positions of words that are not the payload of a SKIP or AUX, without the final zero."""
    code, is_head, end = words >> 10, np.ones(len(words), bool), 0
    for at in np.flatnonzero((code == _SKIP) | (code == _AUX)).tolist():
        if at >= end:  # else it lies in the payload of the one before
            payload = 2 if code[at] == _SKIP else (int(words[at] & 255) + 1) // 2
            end = at + 1 + payload
            is_head[at + 1 : end] = False
    stops = np.flatnonzero(is_head & (words == 0))
    if not len(stops):
        raise damaged("no end-of-file marker: the file was cut short", source)
    if stops[0] != len(words) - 1:
        extra = 2 * (len(words) - 1 - int(stops[0]))
        raise damaged(f"{extra} bytes after the end-of-file marker", source)
    return np.flatnonzero(is_head)[:-1]


def _check_known(code: NDArray[np.int64], keep_unknown: bool, source: str) -> None:
    unknown = (code != 0) & (_SYMBOL_OF_CODE[code] == "")
    if keep_unknown:
        unknown &= code > _LAST_CODE
    if unknown.any():
        raise damaged(f"unknown annotation code {code[unknown.argmax()]}", source)


def _check_grammar(
    code: NDArray[np.int64], value: NDArray[np.int64], is_annotation: NDArray[np.bool_], source: str
) -> None:
    if len(code) and _NUM <= code[0] <= _AUX:
        raise damaged("a modifier comes before the first annotation", source)
    follows = np.append(code[1:], _NUM)
    if ((code == _SKIP) & (follows > _SKIP)).any():
        raise damaged("a time skip without an annotation after it", source)
    high, low = value >> 8, value & 255
    extended = ((code == _SUB) | (code == _NUM)) & (high == 3) & (low >= 128)
    if ((code >= _SKIP) & (high != 0) & ~extended).any() or value[code == _SKIP].any():
        raise damaged("a modifier with bits set that mean nothing", source)
    group = np.cumsum(is_annotation) * 64 + code
    modifiers = group[code > _SKIP]
    if len(np.unique(modifiers)) != len(modifiers):
        raise damaged("one annotation has the same modifier twice", source)


def _intervals(
    words: NDArray[np.int64], heads: NDArray[np.intp], code: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Samples that each SKIP advances (a signed 32-bit number, high word first), else 0."""
    intervals = np.zeros(len(heads), np.int64)
    at = heads[code == _SKIP]
    unsigned = (words[at + 1] << 16) | words[at + 2]
    intervals[code == _SKIP] = unsigned.astype(np.uint32).view(np.int32)
    return intervals


def _text(data: bytes, start: int, length: int) -> str:
    return data[start : start + length].decode("latin-1").rstrip("\0")


def _placed(
    value: NDArray[np.int64], owner: NDArray[np.int64], is_field: NDArray[np.bool_], n: int
) -> NDArray[np.int64]:
    field = np.zeros(n, np.int64)
    field[owner[is_field]] = value[is_field]
    return field


def _carried(
    value: NDArray[np.int64], owner: NDArray[np.int64], is_field: NDArray[np.bool_], n: int
) -> NDArray[np.int64]:
    """As :func:`_placed`, each value holding until the next one; 0 before the first."""
    given = np.zeros(n, bool)
    given[owner[is_field]] = True
    latest = np.maximum.accumulate(np.where(given, np.arange(n), -1))
    return np.where(latest >= 0, _placed(value, owner, is_field, n)[latest], 0)


def _without_preamble(
    found: Annotations, code: NDArray[np.int64], fs_hz: float | None, source: str
) -> Annotations:
    """Drop the definitions that writers put at sample 0 (``## time resolution: 360``)."""
    is_definition = (found.sample == 0) & (code == _NOTE)
    for row in np.flatnonzero(is_definition).tolist():
        is_definition[row] = found.aux[row].startswith("## ")
    keep = ~is_definition & (code != 0)
    if keep.any() and (code[keep.argmax() :] == 0).any():
        raise damaged("an empty annotation (code 0) among the others", source)
    for row in np.flatnonzero(is_definition).tolist():
        _check_resolution(found.aux[row], fs_hz, source)
    if keep.all():
        return found
    fields = (found.sample, found.symbol, found.subtype, found.chan, found.num)
    sample, symbol, subtype, chan, num = (field[keep] for field in fields)
    aux = tuple(found.aux[row] for row in np.flatnonzero(keep).tolist())
    return Annotations(sample, symbol, subtype, chan, num, aux)


def _check_resolution(text: str, fs_hz: float | None, source: str) -> None:
    label, _, number = text.partition("time resolution:")
    if fs_hz is None or label != "## ":
        return
    try:
        same = abs(float(number) - fs_hz) < 1e-6 * fs_hz
    except ValueError:
        same = False
    if not same:
        raise damaged(f"annotated at{number} Hz, the record has {fs_hz:g} Hz", source)


def _check_times(sample: NDArray[np.int64], n_samples: int | None, source: str) -> None:
    back = np.flatnonzero(np.diff(sample) < 0)
    if len(back):
        raise damaged(f"time runs backwards after annotation {back[0]}", source)
    if len(sample) and sample[0] < 0:
        raise damaged(f"first annotation at sample {sample[0]}", source)
    if len(sample) and n_samples is not None and sample[-1] >= n_samples:
        raise damaged(f"annotation at sample {sample[-1]} of a {n_samples}-sample record", source)
