"""Variables of MATLAB files, v4 and v5 through scipy, v7.3 (HDF5) through h5py.

MATLAB stores arrays column by column; HDF5 shows them with axes reversed. Both come back as MATLAB
shows them. Only arrays of real numbers are read: cells, structs and objects are left alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import ConfigError, DataError, closest
from toolkit.hsi.formats.raster import Raster, check_claim

if TYPE_CHECKING:
    import h5py

OPTIONS = {2: "--labels-variable", 3: "--variable"}
_NUMERIC = {"double", "single", "logical"}
_NUMERIC |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


@dataclass(frozen=True)
class Variable:
    """Shape as MATLAB shows it, and MATLAB's word for the type."""

    shape: tuple[int, ...]
    kind: str

    @property
    def size(self) -> int:
        """Elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.shape))}) {self.kind}"


def read(
    path: Path, axes: int, variable: str | None = None, shape: tuple[int, int] | None = None
) -> Raster:
    """Read one variable.

    Args:
        path: the file.
        axes: 3 for a cube, 2 for a map.
        variable: its name; by default the only one that has so many axes.
        shape: rows and columns that a map should have, to choose among several.

    Raises:
        ConfigError: no variable has this name.
        DataError: damaged; no or several variables to choose from; not real numbers.
    """
    found = variables(path)
    name = _choose(found, path, axes, shape) if variable is None else _named(found, path, variable)
    array = _load(path, name)
    notes = (f"variable {name} of {_all(found)}",) if len(found) > 1 else ()
    return Raster(array, (path,), notes=notes)


def variables(path: Path) -> dict[str, Variable]:
    """All variables by name, without reading them.

    Raises:
        DataError: no MATLAB file, or a damaged one.
    """
    import h5py
    import scipy.io

    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return {name: _described(item) for name, item in _datasets(file).items()}
        return {name: Variable(shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    except Exception as error:  # the parsers raise whatever they stumble over
        raise _damaged(path, error) from error


def array(path: Path, name: str) -> NDArray[Any]:
    """The numbers of one variable.

    Raises:
        ConfigError: no variable has this name.
        DataError: damaged, or not real numbers.
    """
    return _load(path, _named(variables(path), path, name))


def _load(path: Path, name: str) -> NDArray[Any]:
    import h5py
    import scipy.io
    from scipy.io.matlab import MatReadWarning

    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return _read_dataset(path, file[name])
        with warnings.catch_warnings():
            warnings.simplefilter("error", MatReadWarning)
            loaded = scipy.io.loadmat(path, variable_names=[name], appendmat=False)
        return np.asarray(loaded[name])
    except DataError:
        raise
    except Exception as error:  # as above
        raise _damaged(path, error) from error


def _read_dataset(path: Path, dataset: h5py.Dataset) -> NDArray[Any]:
    check_claim(path, dataset.nbytes, dataset.id.get_storage_size())
    return np.asarray(dataset[()]).T


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Arrays that lie in this very file: links could lead to any other."""
    import h5py

    names = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    items = {name: file[name] for name in names}
    return {
        name: item
        for name, item in items.items()
        if isinstance(item, h5py.Dataset) and not item.external and not item.is_virtual
    }


def _described(dataset: h5py.Dataset) -> Variable:
    kind = dataset.attrs.get("MATLAB_class", b"")
    word = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if dataset.dtype.names is not None:
        word = "complex"
    named = {"float64": "double", "float32": "single"}
    word = word or named.get(dataset.dtype.name, dataset.dtype.name)
    return Variable(tuple(dataset.shape[::-1]), word)


def _choose(
    found: Mapping[str, Variable], path: Path, axes: int, shape: tuple[int, int] | None
) -> str:
    numbers = {name: item for name, item in found.items() if item.kind in _NUMERIC}
    fitting = [
        name for name, item in numbers.items() if len(item.shape) == axes and min(item.shape) > 1
    ]
    if len(fitting) > 1 and shape is not None:
        fitting = [name for name in fitting if numbers[name].shape == shape] or fitting
    largest = max((item.size for item in numbers.values()), default=0)
    # a smaller cube beside a larger matrix is rarely the image: abundances, a photograph
    if len(fitting) == 1 and (axes == 2 or numbers[fitting[0]].size == largest):
        return fitting[0]
    what = "several variables could be" if fitting else f"no variable with {axes} axes can be"
    raise DataError(
        f"{what} the {'cube' if axes == 3 else 'label map'}: {_all(found)}",
        where=str(path),
        hint=f"{OPTIONS[axes]} NAME chooses one",
    )


def _named(found: Mapping[str, Variable], path: Path, variable: str) -> str:
    if variable not in found:
        hint = "toolkit hsi info names them without this option"
        what = f"{path.name} has no variable {variable!r}; {closest(variable, found)}"
        raise ConfigError(what, where=str(path), hint=hint)
    if found[variable].kind not in _NUMERIC:
        what = f"variable {variable} is {found[variable]}, not an array of real numbers"
        raise DataError(what, where=str(path), hint=f"it holds {_all(found)}")
    return variable


def _all(found: Mapping[str, Variable]) -> str:
    return ", ".join(f"{name} {item}" for name, item in found.items()) or "none at all"


def _damaged(path: Path, error: Exception) -> DataError:
    why = str(error).partition("\n")[0] or type(error).__name__
    return DataError(
        f"{path.name} is no MATLAB file, or a damaged one: {why}",
        where=str(path),
        hint="copy or download the file again, or save it with MATLAB's save -v7",
    )
