"""Circuits carried along a bond."""

import json

from toolkit.core.plots import caption_of
from toolkit.vqe import curve
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.operators.molecule_config import MoleculeConfig

H2 = MoleculeConfig(name="H2")
ROTATED = Circuit(2, (Gate("RY", (0,), 0.1), Gate("CNOT", (0, 1)), Gate("RY", (1,), 3.0)))
ALONE = Circuit(2, (Gate("RY", (0,), 0.1),))


def test_angles_are_fitted_at_each_length_and_gates_kept():
    rows = list(curve.points(H2, [0.6, 0.9], [ROTATED]))
    assert [row["bond_length_a"] for row in rows] == [0.6, 0.9]
    for row in rows:
        assert -1e-9 < row["error_ha"] < 1e-6
        assert row["energy_ha"] < row["hartree_fock_energy_ha"]
        assert (row["depth"], row["gates"], row["cnot"]) == (3, 3, 1)


def test_the_cheapest_circuit_that_is_accurate_is_taken_or_else_the_best():
    (row,) = curve.points(H2, [0.7414], [ALONE, ROTATED])
    assert row["gates"] == 3  # one rotation cannot reach chemical accuracy
    (row,) = curve.points(H2, [0.7414], [ALONE])
    assert row["gates"] == 1 and row["error_ha"] > 1.6e-3


def test_a_curve_is_written_as_numbers_and_as_a_picture(tmp_path):
    rows = list(curve.points(H2, [0.6, 0.9], [ROTATED]))
    numbers, picture = curve.write(rows, tmp_path / "out")
    assert json.loads(numbers.read_text())["points"] == rows
    assert "bond length" in caption_of(picture)
