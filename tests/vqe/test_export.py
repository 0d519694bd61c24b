"""Circuit files: JSON documents and OpenQASM, read back by us and by parsers that are not ours."""

import json
import math
import re

import numpy as np
import openqasm3
import pennylane as qml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_circuits import circuits, random_circuit
from random_operators import random_operator

from toolkit.core.errors import DataError, ToolkitError
from toolkit.vqe import export
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.export import Document
from toolkit.vqe.qasm import read_qasm, write_qasm2, write_qasm3
from toolkit.vqe.verification import operations

WRITERS = [write_qasm2, write_qasm3]
HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\n'


def peer_number(node):
    """The value of a literal, perhaps negated, in the syntax tree of ``openqasm3``."""
    if isinstance(node, openqasm3.ast.UnaryExpression):
        return -peer_number(node.expression)
    return float(node.value)


def peer_reading(text):
    """Number of qubits and gates as the reference parser of OpenQASM sees them."""
    program = openqasm3.parse(text)
    register = next(s for s in program.statements if isinstance(s, openqasm3.ast.QubitDeclaration))
    gates = [
        (
            s.name.name,
            tuple(qubit.indices[0][0].value for qubit in s.qubits),
            *map(peer_number, s.arguments),
        )
        for s in program.statements
        if isinstance(s, openqasm3.ast.QuantumGate)
    ]
    return program.version, register.size.value, gates


def own_reading(circuit):
    words = {"X": "x", "RX": "rx", "RY": "ry", "RZ": "rz", "CNOT": "cx"}
    angles = [() if g.angle is None else (g.angle,) for g in circuit.gates]
    gates = [(words[g.name], g.wires, *angle) for g, angle in zip(circuit.gates, angles)]
    return circuit.n_qubits, gates


@given(circuits())
@pytest.mark.parametrize("write", WRITERS)
def test_openqasm_gives_the_same_circuit_back(write, circuit):
    assert read_qasm(write(circuit, ["two\nlines; // and ;"]), "here") == circuit


@settings(max_examples=20)
@given(circuits())
@pytest.mark.parametrize(("write", "version"), [(write_qasm2, "2.0"), (write_qasm3, "3.0")])
def test_the_reference_parser_reads_the_same_gates_and_angles(write, version, circuit):
    assert peer_reading(write(circuit)) == (version, *own_reading(circuit))


@pytest.mark.parametrize("write", WRITERS)
def test_pennylane_runs_our_file_to_the_same_unitary(write):
    circuit = random_circuit(4, 30)
    text = re.sub("include.*", "", write(circuit))  # PennyLane knows the gates without
    imported = qml.tape.make_qscript(qml.from_qasm3(text))()
    expected = qml.matrix(qml.tape.QuantumScript(operations(circuit)), wire_order=range(4))
    actual = qml.matrix(imported, wire_order=[f"q[{i}]" for i in range(4)])
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_we_read_what_pennylane_writes():
    circuit = random_circuit(4, 30)
    script = qml.tape.QuantumScript(operations(circuit))
    text = qml.to_openqasm(script, wires=range(4), measure_all=False)
    kept = [line for line in text.splitlines() if not line.startswith("creg")]
    assert read_qasm("\n".join(kept), "here") == circuit


def test_every_real_has_a_point_as_openqasm_2_demands():
    text = write_qasm2(Circuit(1, (Gate("RX", (0,), 1e-5), Gate("RX", (0,), -1e22))))
    assert "rx(1.0e-05) q[0];" in text and "rx(-1.0e+22) q[0];" in text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pi/2", math.pi / 2),
        ("-3*pi/4", -3 * math.pi / 4),
        (" 2*(pi - 1) ", 2 * (math.pi - 1)),
        ("+.5e-1", 0.05),
        ("--1.", 1.0),
        ("1-2-3", -4.0),
    ],
)
def test_angles_may_be_small_expressions(text, value):
    assert read_qasm(f"{HEAD}rx({text}) q[0];", "here").angles == pytest.approx([value], rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1 2", "pi pi", "1/0", "1e999", "2**9", "2//3", "1e", "p", "theta", "sin(pi)"),
        *("__import__('os')", "1,2", "(1", "0x10", "1j", "(" * 80 + "1" + ")" * 80, "1" * 99 + "!"),
        *("True", "1 if 1 else 2", "[1]", "pi.real", "'1'", "1_0", "٣"),
    ],
)
def test_other_angles_are_refused_with_line_and_text(text):
    with pytest.raises(DataError) as caught:
        read_qasm(f"{HEAD}\nrx({text}) q[0];", "best.qasm")
    assert caught.value.where.startswith("best.qasm, line 5: rx(")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("h q[0];", "'h' is no gate"),
        ("u3(1,2,3) q[0];", "'u3' is no gate"),
        ("measure q[0] -> c[0];", "'measure' is no gate"),
        ("creg c[2];", "no gate on qubits of q"),
        ("qreg r[2];", "no gate on qubits of q"),
        ("x r[0];", "no gate on qubits of q"),
        ("x q;", "no gate on qubits of q"),
        ("x q[2];", "of 2 qubits"),
        ("x q[-1];", "of 2 qubits"),
        ("x q[0],q[1];", "does not act on"),
        ("cx q[1];", "does not act on"),
        ("cx q[1],q[1];", "does not act on"),
        ("cx q[1],r[0];", "does not act on"),
        ("x q[٣];", "does not act on"),
        ("x q[99999999999999999999];", "does not act on"),
        ("rx q[0];", "rx lacks its angle"),
        ("x(1.0) q[0];", "x takes no angle"),
        ("x q[0]", "does not end in ;"),
        ("/* x q[0]; */", "does not end in ;"),
        (f"x{' ' * 100_000}!;", "longer than"),
        ("x q[0]; rz(0.5) q[0]; y q[0];", "'y' is no gate"),
    ],
)
def test_other_statements_are_refused_with_line_and_text(line, words):
    with pytest.raises(DataError, match=words) as caught:
        read_qasm(f"{HEAD}{line}\n", "best.qasm")
    assert caught.value.where == f"best.qasm, line 4: {line[:80]}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "OPENQASM 2.0 or 3.0 is expected"),
        ("hello;", "OPENQASM 2.0 or 3.0 is expected"),
        ("OPENQASM 4.0;", "OPENQASM 2.0 or 3.0 is expected"),
        ("OPENQASM 2.0; qreg q[2];", "include"),
        (HEAD.split("qreg")[0], "qreg"),
        (HEAD.replace("2]", "0]"), "no circuit on 0 qubits"),
        (HEAD.replace("2]", "65]"), "no circuit on 65 qubits"),
        (HEAD.replace("2]", "9" * 5000 + "]"), "qreg"),
        (HEAD + "x q[0];" * 100_001, "100001 gates"),
    ],
)
def test_a_wrong_head_is_refused(text, words):
    with pytest.raises(DataError, match=words):
        read_qasm(text, "best.qasm")


@given(st.text(max_size=60), st.text('qrxyz[](){}.0123456789;,*/+-pi\n "', max_size=60))
def test_no_text_ends_in_another_error(anything, likely):
    for text in (anything, HEAD + anything, HEAD + likely, f"{HEAD}rx({likely}) q[0];"):
        try:
            assert isinstance(read_qasm(text, "here"), Circuit)
        except ToolkitError as error:
            assert error.where.startswith("here")


def document():
    circuit, hamiltonian = random_circuit(3, 8), random_operator(3, 20, seed=0)
    return Document(circuit, {"name": "H₂", "basis": "sto-3g"}, -1.25, hamiltonian.ground_energy)


def test_a_document_states_circuit_energies_and_cost(tmp_path):
    given_ = document()
    path = export.write(given_, tmp_path / "new" / "best.json", "json")
    value = json.loads(path.read_text())
    assert value["error_ha"] == value["energy_ha"] - value["exact_energy_ha"]
    assert value["cost"] == given_.circuit.cost._asdict()
    assert export.read_document(path) == given_


def test_a_document_of_a_hamiltonian_takes_its_facts_and_exact_energy():
    hamiltonian = random_operator(3, 20, seed=0)
    made = Document.of(random_circuit(3, 4), hamiltonian, 0.5)
    assert made.hamiltonian is hamiltonian.facts
    assert made.error_ha == 0.5 - hamiltonian.ground_energy


@pytest.mark.parametrize("form", ["json", "qasm2", "qasm3"])
@pytest.mark.parametrize("name", ["best.out", "best.qasm"])
def test_the_format_is_told_by_the_content(tmp_path, form, name):
    path = export.write(document(), tmp_path / name, form)
    assert export.read_document(path).circuit == document().circuit


def test_openqasm_tells_its_origin_in_comments():
    text = export.render(document(), "qasm2")
    comments = [line for line in text.splitlines() if line.startswith("//")]
    assert "q[0] is the leftmost letter" in comments[0] and "toolkit" in comments[1]
    assert "energy -1.25 Ha" in comments[2] and "sto-3g" in comments[3]


def test_a_bare_circuit_is_a_document_without_energy(tmp_path):
    path = tmp_path / "bare.json"
    path.write_text(json.dumps(random_circuit(3, 8).to_json()))
    bare = export.read_document(path)
    assert bare.circuit == random_circuit(3, 8)
    assert (bare.energy_ha, bare.error_ha, bare.made_by, bare.notes) == (None, None, "", [])


@pytest.mark.parametrize(
    "change",
    [
        {"energy_ha": "low"},
        {"energy_ha": math.nan},
        {"exact_energy_ha": -math.inf},
        {"energy_ha": 10**400},
        {"energy_ha": True},
        {"hamiltonian": "LiH"},
        {"made_by": 3},
        {"circuit": None},
        {"circuit": {"n_qubits": 0, "gates": []}},
    ],
)
def test_a_wrong_document_names_the_file(tmp_path, change):
    path = tmp_path / "best.json"
    path.write_text(json.dumps({**document().to_json(), **change}))
    with pytest.raises(DataError) as caught:
        export.read_document(path)
    assert str(path) in caught.value.where


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
@pytest.mark.parametrize("name", ["best.json", "best.qasm"])
def test_a_damaged_file_is_one_error(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        export.read_document(path)
    assert str(path) in caught.value.where


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot read a circuit") as caught:
        export.read_document(tmp_path / "none.json")
    assert "none.json" in caught.value.where
