"""Files of operators: our JSON, and dense matrices in .npz as published with the method.

JSON: ``{"n_qubits": 2, "units": "hartree", "terms": [{"pauli": "XZ", "coefficient": 0.1}, …],
"hartree_fock_bits": "10", "facts": {…}}``, leftmost letter = qubit 0; floats keep every bit.
The .npz of Ostaszewski et al. 2021: ``hamiltonian`` (2**n, 2**n), and ``energy_shift``, which is
added as a multiple of the identity.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.errors import DataError, closest
from toolkit.core.files import saving, write_json
from toolkit.vqe.operators.hamiltonian import Floats, Hamiltonian, check_qubits, walsh_hadamard

_MAX_BYTES = 256 * 2**20
_MAX_DENSE_QUBITS = 12
_UNREADABLE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, OSError)
_SMALL = 1e-12
_JSON_KEYS = ("n_qubits", "terms", "units", "hartree_fock_bits", "facts")


def read(path: Path) -> Hamiltonian:
    """Read an operator, JSON or .npz by its content.

    Raises:
        DataError: it cannot be read, or is no Hermitian, real operator on whole qubits.
        ConfigError: more qubits than are simulated.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise DataError(f"{size} bytes; at most {_MAX_BYTES} are read", where=str(path))
        content = path.open("rb")
    except OSError as error:
        wrong = f"cannot read an operator: {error.strerror}"
        raise DataError(wrong, where=str(path)) from error
    with content:
        is_zip = content.read(2) == b"PK"
        content.seek(0)
        return _from_npz(content, str(path)) if is_zip else _from_text(content, str(path))


def write(path: Path, hamiltonian: Hamiltonian) -> None:
    """Write ``hamiltonian`` as JSON; ``read`` gives it back bit by bit.

    Raises:
        RunError: it cannot be written.
    """
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, to_json(hamiltonian))


def to_json(hamiltonian: Hamiltonian) -> dict[str, Any]:
    """The JSON form of the head of this module."""
    bits = hamiltonian.hartree_fock_bits
    pairs = zip(hamiltonian.paulis, hamiltonian.coefficients)
    return {
        "n_qubits": hamiltonian.n_qubits,
        "units": "hartree",
        "terms": [{"pauli": pauli, "coefficient": float(c)} for pauli, c in pairs],
        "hartree_fock_bits": None if bits is None else "".join(map(str, bits)),
        "facts": dict(hamiltonian.facts),
    }


def from_json(value: Any, where: str) -> Hamiltonian:
    """Read what ``to_json`` gave.

    Raises:
        DataError: it is no such operator; names the term that is wrong.
        ConfigError: more qubits than are simulated.
    """
    if not isinstance(value, Mapping) or not {"n_qubits", "terms"} <= value.keys():
        raise DataError("no operator: n_qubits and terms are needed", where=where)
    if unknown := sorted(value.keys() - set(_JSON_KEYS)):
        raise DataError(
            f"unknown key {unknown[0]!r}", where=where, hint=closest(unknown[0], _JSON_KEYS)
        )
    n, terms, facts = value["n_qubits"], value["terms"], value.get("facts", {})
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise DataError(f"n_qubits = {n!r} is no number of qubits", where=where)
    if value.get("units", "hartree") != "hartree":
        wrong = f"units {value['units']!r}; energies are read in hartree"
        raise DataError(wrong, where=where, hint="multiply the coefficients and say hartree")
    if not isinstance(terms, list) or not terms:
        raise DataError("an operator without terms", where=where)
    if not isinstance(facts, Mapping):
        raise DataError("facts are no JSON object", where=where)
    pairs = [_term(term, n, f"{where}, term {i}") for i, term in enumerate(terms)]
    _check_sum([pauli for pauli, _ in pairs], n, where)
    coefficients = np.array([coefficient for _, coefficient in pairs])
    bits = _bits(value.get("hartree_fock_bits"), n, where)
    return Hamiltonian(n, tuple(pauli for pauli, _ in pairs), coefficients, bits, dict(facts))


def _from_text(content: IO[bytes], where: str) -> Hamiltonian:
    try:
        value = json.loads(content.read().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"neither JSON nor .npz: {error}", where=where) from error
    return from_json(value, where)


def _term(term: Any, n_qubits: int, where: str) -> tuple[str, float]:
    if not isinstance(term, Mapping) or term.keys() != {"pauli", "coefficient"}:
        raise DataError(f"{_short(term)} is no pauli with a coefficient", where=where)
    pauli, coefficient = term["pauli"], term["coefficient"]
    if not isinstance(pauli, str) or not set(pauli) <= set("IXYZ"):
        raise DataError(f"{_short(pauli)} is no string of I, X, Y and Z", where=where)
    if len(pauli) != n_qubits:
        raise DataError(
            f"{_short(pauli)} has {len(pauli)} letters for {n_qubits} qubits", where=where
        )
    if isinstance(coefficient, bool) or not isinstance(coefficient, int | float):
        wrong = f"coefficient {_short(coefficient)} of {pauli} is no real number"
        raise DataError(wrong, where=where, hint="a Hermitian operator has real coefficients")
    if not abs(coefficient) <= 1e300:  # also NaN
        raise DataError(f"coefficient {_short(coefficient)} of {pauli} is not finite", where=where)
    if pauli.count("Y") % 2:
        wrong = f"{pauli} has an odd number of Y: the matrix is complex-valued"
        raise DataError(wrong, where=where, hint="rotate the phases so that the operator is real")
    return pauli, float(coefficient)


def _check_sum(paulis: Sequence[str], n_qubits: int, where: str) -> None:
    twice = [pauli for pauli, count in Counter(paulis).items() if count > 1]
    if twice:
        raise DataError(f"{twice[0]} is given twice", where=where, hint="add the coefficients")
    flips = {pauli.translate(str.maketrans("ZY", "IX")) for pauli in paulis}
    check_qubits(n_qubits, len(flips), where)


def _bits(value: Any, n_qubits: int, where: str) -> tuple[int, ...] | None:
    if value is None:
        return None
    letters = [str(bit) for bit in value] if isinstance(value, str | list) else []
    if len(letters) != n_qubits or not set(letters) <= {"0", "1"}:
        wrong = f"hartree_fock_bits {_short(value)} are no {n_qubits} bits"
        raise DataError(wrong, where=where)
    return tuple(map(int, letters))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…'"


def _from_npz(content: IO[bytes], where: str) -> Hamiltonian:
    try:
        with zipfile.ZipFile(content) as archive:
            matrix = _member(archive, "hamiltonian", where)
            shift = _member(archive, "energy_shift", where, optional=True)
    except _UNREADABLE as error:
        raise DataError(f"no readable .npz: {error}", where=where) from error
    n_qubits = _check_matrix(matrix, where)
    added = _shift(shift, where)
    terms = pauli_terms(matrix.real.astype(np.float64), _epsilon(matrix))
    identity = "I" * n_qubits
    terms[identity] = terms.get(identity, 0.0) + added
    facts = {"source": Path(where).name, "energy_shift_ha": added}
    return Hamiltonian(n_qubits, tuple(terms), np.array([*terms.values()]), None, facts)


def _member(
    archive: zipfile.ZipFile, name: str, where: str, optional: bool = False
) -> NDArray[Any]:
    """One array; its size is known from its header before anything of that size is made."""
    if f"{name}.npy" not in archive.namelist():
        if optional:
            return np.zeros(())
        wrong = f"no array {name!r} in the .npz"
        raise DataError(wrong, where=where, hint="it holds: " + ", ".join(archive.namelist())[:200])
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = header(file)
        if dtype.kind not in "fciu":
            raise DataError(f"array {name!r} holds {dtype}, not numbers", where=where)
        if math.prod(shape) * dtype.itemsize > _MAX_BYTES:
            raise DataError(f"array {name!r} of shape {shape} is too large", where=where)
    with archive.open(f"{name}.npy") as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _tolerance(matrix: NDArray[Any]) -> float:
    """What rounding explains: published operators are in single precision."""
    return float(10 * _epsilon(matrix) * max(1.0, float(np.abs(matrix).max())))


def _epsilon(matrix: NDArray[Any]) -> float:
    return float(np.finfo(matrix.dtype if matrix.dtype.kind in "fc" else float).eps)


def _check_matrix(matrix: NDArray[Any], where: str) -> int:
    """Number of qubits of a finite, Hermitian, real (2**n, 2**n) matrix."""
    n_qubits = max(matrix.shape[0].bit_length() - 1 if matrix.ndim == 2 else 0, 1)
    if matrix.shape != (2**n_qubits, 2**n_qubits):
        wrong = f"a matrix of shape {matrix.shape} acts on no whole number of qubits"
        raise DataError(wrong, where=where, hint="2**n rows and columns for n qubits")
    if n_qubits > _MAX_DENSE_QUBITS:
        wrong = f"a dense matrix on {n_qubits} qubits; at most {_MAX_DENSE_QUBITS} are read"
        raise DataError(wrong, where=where, hint="write it as a JSON sum of Pauli strings")
    if not np.isfinite(matrix).all():
        raise DataError("the matrix holds NaN or infinity", where=where)
    tolerance = _tolerance(matrix)
    if (error := float(np.abs(matrix - matrix.conj().T).max())) > tolerance:
        raise DataError(f"the matrix is not Hermitian: off by {error:.3g}", where=where)
    if (error := float(np.abs(matrix.imag).max())) > tolerance:
        wrong = f"the matrix is complex-valued: imaginary parts up to {error:.3g}"
        raise DataError(wrong, where=where, hint="rotate the phases so that the operator is real")
    return n_qubits


def _shift(shift: NDArray[Any], where: str) -> float:
    if shift.shape != () or shift.dtype.kind not in "fiu" or not np.isfinite(shift):
        raise DataError("energy_shift is no single finite real number", where=where)
    return float(shift)


def pauli_terms(matrix: Floats, epsilon: float = 0.0) -> dict[str, float]:
    """Pauli strings and coefficients of a real symmetric matrix (2**n, 2**n).

    Row by row of equal flips i ^ j, the entries are a diagonal, and the inverse Walsh-Hadamard
    transform of a diagonal is the coefficients of its Z strings: means of 2**n entries, so that of
    the entries' rounding (``epsilon``, relative to the largest of a row) little is left in them.
    Coefficients that it explains are left out, and those up to 1e-12.
    """
    size = len(matrix)
    states = np.arange(size)
    rows = matrix[states, states ^ states[:, None]]
    spectra = walsh_hadamard(rows) / size
    rounding = 2 * epsilon * np.abs(rows).max(axis=1, keepdims=True) / math.sqrt(size)
    terms = {}
    for flip, signs in zip(*np.nonzero(np.abs(spectra) > np.maximum(rounding, _SMALL))):
        n_y = int(flip & signs).bit_count()
        if n_y % 2 == 0:  # an odd number of Y would be an antisymmetric part
            pauli = _letters(int(flip), int(signs), size.bit_length() - 1)
            terms[pauli] = float(spectra[flip, signs]) * (-1.0) ** (n_y // 2)
    return terms


def _letters(flip: int, signs: int, n_qubits: int) -> str:
    wires = range(n_qubits - 1, -1, -1)  # qubit 0 is the most significant bit
    return "".join("IXZY"[(flip >> q & 1) + 2 * (signs >> q & 1)] for q in wires)
