"""Circuits: cost as PennyLane counts it, angles, and what is no circuit."""

import json
import math

import numpy as np
import pennylane as qml
import pytest
from hypothesis import given, settings
from random_circuits import circuits, random_circuit

from toolkit.core.errors import DataError
from toolkit.vqe.circuits import CODES, Circuit, Gate

BELL = {"n_qubits": 2, "gates": [{"name": "RY", "wires": [0], "angle": 0.5}]}


def specs(circuit):
    @qml.qnode(qml.device("default.qubit", wires=circuit.n_qubits))
    def run():
        for gate in circuit.gates:
            angle = () if gate.angle is None else (gate.angle,)
            getattr(qml, gate.name)(*angle, wires=gate.wires)
        return qml.state()

    return qml.specs(run)()["resources"]


@settings(max_examples=60)
@given(circuits())
def test_cost_is_what_pennylane_counts(circuit):
    counted, cost = specs(circuit), circuit.cost
    assert (cost.depth, cost.gates) == (counted.depth, counted.num_gates)
    assert cost.cnot == counted.gate_types.get("CNOT", 0)
    assert cost.rotations == sum(counted.gate_types.get(f"R{axis}", 0) for axis in "XYZ")


@given(circuits())
def test_gates_of_a_moment_share_no_wire_and_wait_for_none(circuit):
    seen = {}
    for gate, moment in zip(circuit.gates, circuit.moments):
        before = [seen.get(wire, -1) for wire in gate.wires]
        assert moment == max(before) + 1
        seen |= dict.fromkeys(gate.wires, moment)


@given(circuits())
def test_json_gives_the_same_circuit_back(circuit):
    assert Circuit.from_json(json.loads(json.dumps(circuit.to_json()))) == circuit


def test_new_angles_go_to_rotations_only_and_are_brought_into_one_turn():
    circuit = Circuit(2, (Gate("X", (0,)), Gate("RX", (1,), 0.1), Gate("CNOT", (0, 1)),
                          Gate("RZ", (0,), 0.2)))  # fmt: skip
    turned = circuit.with_angles([7.0, -4.0])
    assert turned.angles == pytest.approx([7 - 2 * math.pi, 2 * math.pi - 4])
    assert [g._replace(angle=None) for g in turned.gates] == [
        g._replace(angle=None) for g in circuit.gates
    ]
    assert circuit.angles.tolist() == [0.1, 0.2]


def test_encoded_gates_name_code_and_wires():
    circuit = Circuit(3, (Gate("CNOT", (2, 0)), Gate("RY", (1,), 0.3)))
    expected = [[CODES["CNOT"], 2, 0], [CODES["RY"], 1, -1]]
    assert circuit.encoded.tolist() == expected and circuit.encoded.dtype == np.int64
    assert Circuit(3).encoded.shape == (0, 3)


def test_a_prepared_state_has_an_x_on_each_one():
    assert Circuit.prepared([0, 1, 1]) == Circuit(3, (Gate("X", (1,)), Gate("X", (2,))))


def test_the_empty_circuit_costs_nothing():
    assert Circuit(3).cost == (0, 0, 0, 0) and Circuit(3).angles.shape == (0,)


@pytest.mark.parametrize("n", [0, -1, 65, True, 2.0, "2", None])
def test_an_impossible_number_of_qubits_is_named(n):
    with pytest.raises(DataError, match="no circuit on"):
        Circuit.from_json({**BELL, "n_qubits": n})


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("RX", "is no gate"),
        ({"name": "RW", "wires": [0]}, "unknown gate 'RW'"),
        ({"wires": [0]}, "unknown gate None"),
        ({"name": ["RX"], "wires": [0]}, "unknown gate"),
        ({"name": "X", "wires": [[0]]}, "X on wires"),
        ({"name": "CNOT", "wires": [1, 1]}, r"CNOT on wires \[1, 1\] of 2 qubits"),
        ({"name": "CNOT", "wires": [1]}, "CNOT on wires"),
        ({"name": "X", "wires": [2]}, "X on wires"),
        ({"name": "X", "wires": [-1]}, "X on wires"),
        ({"name": "X", "wires": [True]}, "X on wires"),
        ({"name": "X", "wires": "0"}, "X on wires '0'"),
        ({"name": "X", "wires": [0], "angle": 1.0}, "X with angle 1.0"),
        ({"name": "RX", "wires": [0]}, "RX with angle None"),
        ({"name": "RX", "wires": [0], "angle": "pi"}, "RX with angle 'pi'"),
        ({"name": "RX", "wires": [0], "angle": math.nan}, "RX with angle nan"),
        ({"name": "RX", "wires": [0], "angle": True}, "RX with angle True"),
    ],
)
def test_a_wrong_gate_is_named_with_its_place(gate, words):
    with pytest.raises(DataError, match=words) as caught:
        Circuit.from_json({"n_qubits": 2, "gates": [*BELL["gates"], gate]}, "best.json")
    assert caught.value.where == "best.json, gate 1"


@pytest.mark.parametrize("value", [None, [], 3, {}, {"n_qubits": 2}, {**BELL, "gates": {}}])
def test_what_is_no_circuit_is_refused(value):
    with pytest.raises(DataError, match="no circuit"):
        Circuit.from_json(value)


def test_an_angle_too_large_for_a_float_is_refused():
    gate = {"name": "RX", "wires": [0], "angle": 10**400}
    with pytest.raises(DataError, match="RX with angle"):
        Circuit.from_json({"n_qubits": 1, "gates": [gate]})


def test_a_file_of_too_many_gates_is_refused():
    with pytest.raises(DataError, match="100001 gates"):
        Circuit.from_json({"n_qubits": 1, "gates": [None] * 100_001})


def test_equal_circuits_are_one_key():
    assert len({random_circuit(4, 9), random_circuit(4, 9), random_circuit(4, 9, seed=1)}) == 2
