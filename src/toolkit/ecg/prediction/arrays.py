"""Signals in NPY and MATLAB files: one array of real numbers, nothing that could execute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, DataError, closest

_MOST_LEADS = 64


def read_npy(path: Path) -> NDArray[Any]:
    """The array of an NPY file, (n, leads), memory-mapped.

    Raises:
        DataError: no NPY file, a damaged one, objects in it, or no such shape.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise _damaged(path, "NPY", error) from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path.name} is an archive of arrays", where=str(path), hint="save one")
    return _by_sample(array, path)


def read_mat(path: Path, variable: str | None) -> NDArray[Any]:
    """The signal in a MATLAB file of version 4, 5 or 7.3, (n, leads).

    Args:
        path: the file.
        variable: its name; by default the largest array of numbers with one or two axes.

    Raises:
        ConfigError: no variable has this name.
        DataError: no MATLAB file, a damaged one, or no such array in it.
    """
    try:
        found = _mat_arrays(path)
    except Exception as error:  # the parsers raise whatever they stumble over
        raise _damaged(path, "MATLAB", error) from error
    if variable is not None and variable not in found:
        what = f"{path.name} has no array of numbers {variable!r}; {closest(variable, found)}"
        raise ConfigError(what, where="--variable", hint="name one of its variables")
    fitting = [name for name, array in found.items() if array.size > 1]
    if not fitting:
        what = f"{path.name} has no array of numbers with one or two axes"
        raise DataError(what, where=str(path), hint="save the signal as a matrix")
    return _by_sample(found[variable or max(fitting, key=lambda k: found[k].size)], path)


def _mat_arrays(path: Path) -> dict[str, NDArray[Any]]:
    import h5py
    import scipy.io

    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            # a hard link: others could lead to any file
            own = [n for n in file if isinstance(file.get(n, getlink=True), h5py.HardLink)]
            items = {name: file[name] for name in own}
            loaded = {
                name: np.asarray(item[()])
                for name, item in items.items()
                if isinstance(item, h5py.Dataset) and not item.external and not item.is_virtual
            }
    else:
        kinds = ("double", "single", *(f"{u}int{b}" for u in ("", "u") for b in (8, 16, 32, 64)))
        names = [name for name, _, kind in scipy.io.whosmat(path) if kind in kinds]
        loaded = scipy.io.loadmat(path, variable_names=names, appendmat=False) if names else {}
        loaded = {name: np.asarray(loaded[name]) for name in names}
    return {k: v for k, v in loaded.items() if v.ndim in (1, 2) and v.dtype.kind in "iuf"}


def _by_sample(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """(n,), (n, leads) or (leads, n) as (n, leads): there are more samples than leads."""
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or not array.size:
        what = f"{path.name} holds {array.dtype} of shape {array.shape}, not samples of leads"
        raise DataError(what, where=str(path), hint="save numbers of shape (n, leads)")
    columns = array[:, None] if array.ndim == 1 else array
    columns = columns.T if columns.shape[0] < columns.shape[1] else columns
    if columns.shape[1] > _MOST_LEADS:
        what = f"{path.name} of shape {array.shape} would have {columns.shape[1]} leads"
        raise DataError(what, where=str(path), hint="save numbers of shape (n, leads)")
    return columns


def _damaged(path: Path, kind: str, error: Exception) -> DataError:
    why = str(error).partition("\n")[0] or type(error).__name__
    what = f"{path.name} is no {kind} file that can be read: {why}"
    return DataError(what, where=str(path), hint="save the signal again as numbers")
