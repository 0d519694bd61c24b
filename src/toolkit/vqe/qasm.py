"""OpenQASM 2 and 3: writing circuits, and a strict reader of the subset that is written.

Sources: Cross et al., arXiv:1707.03429 (OpenQASM 2); Cross et al., arXiv:2104.14722 (OpenQASM 3).
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator

from toolkit.core.errors import DataError, closest
from toolkit.vqe.circuits import MAX_GATES, ROTATIONS, Circuit, Gate, Name

GATES: dict[str, Name] = {"x": "X", "rx": "RX", "ry": "RY", "rz": "RZ", "cx": "CNOT"}
WORDS = {name: word for word, name in GATES.items()}
CONVENTION = "angles in radians; q[0] is the leftmost letter of a Pauli string"

HEAD = (
    ("OPENQASM 2.0 or 3.0", re.compile(r"OPENQASM\s+(?:2\.0|3(?:\.0)?)")),
    ('include "qelib1.inc" or "stdgates.inc"', re.compile(r'include\s*"(?:qelib1|stdgates)\.inc"')),
    (
        "qreg q[n] or qubit[n] q",
        re.compile(r"qreg\s+q\s*\[([0-9]{1,4})\]|qubit\s*\[([0-9]{1,4})\]\s*q"),
    ),
)
STATEMENT = re.compile(r"([a-z]\w*)\s*(?:\((.*)\))?\s*(q\s*\[.*\])")
OPERAND = re.compile(r"\s*q\s*\[\s*([0-9]{1,4})\s*\]\s*")
EXPRESSION = re.compile(r"[0-9.eEpi()+\-*/ ]+")  # letters of numbers and of pi; ast does the rest
LONGEST_STATEMENT = 150  # characters; bounds what is matched and how deep expressions are
Binary = Callable[[float, float], float]
BINARY: dict[type[ast.operator], Binary] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def write_qasm2(circuit: Circuit, notes: Iterable[str] = ()) -> str:
    """The circuit as OpenQASM 2 without measurement; ``notes`` become comments of a line each."""
    head = ["OPENQASM 2.0;", 'include "qelib1.inc";']
    return _written(circuit, head, notes, f"qreg q[{circuit.n_qubits}];")


def write_qasm3(circuit: Circuit, notes: Iterable[str] = ()) -> str:
    """The circuit as OpenQASM 3 without measurement; ``notes`` become comments of a line each."""
    head = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    return _written(circuit, head, notes, f"qubit[{circuit.n_qubits}] q;")


def _written(circuit: Circuit, head: list[str], notes: Iterable[str], register: str) -> str:
    comments = [f"// {' '.join(note.split())}" for note in (CONVENTION, *notes)]
    return "\n".join([*head, *comments, register, *map(_statement, circuit.gates)]) + "\n"


def _statement(gate: Gate) -> str:
    angle = "" if gate.angle is None else f"({_real(gate.angle)})"
    return f"{WORDS[gate.name]}{angle} {','.join(f'q[{wire}]' for wire in gate.wires)};"


def _real(angle: float) -> str:
    # Shortest digits that give the same float back; OpenQASM 2 wants a point before an exponent.
    mantissa, *exponent = repr(float(angle)).split("e")
    return "e".join([mantissa if "." in mantissa else f"{mantissa}.0", *exponent])


def read_qasm(text: str, where: str) -> Circuit:
    """Read what :func:`write_qasm2` and :func:`write_qasm3` write.

    That is the version, the include, one register ``q``, then x, rx, ry, rz and cx on single
    qubits; angles may be expressions of numbers and pi with + - * / and parentheses.

    Raises:
        DataError: anything else; names the line and its text.
    """
    statements = _statements(text, where)
    register = [_head(statements, wanted, pattern, where) for wanted, pattern in HEAD][-1]
    n_qubits, at = int(next(filter(None, register.groups()))), f"{where}: {register[0]}"
    if not 1 <= n_qubits <= 64:
        raise DataError(f"no circuit on {n_qubits} qubits", where=at)
    gates = tuple(_gate(statement, n_qubits, at) for at, statement in statements)
    if len(gates) > MAX_GATES:
        raise DataError(f"{len(gates)} gates; at most {MAX_GATES} are read", where=where)
    return Circuit(n_qubits, gates)


def _statements(text: str, where: str) -> Iterator[tuple[str, str]]:
    """Each statement without its semicolon, after the place that an error is to name."""
    for number, line in enumerate(text.splitlines(), 1):
        *whole, rest = line.split("//")[0].split(";")
        at = f"{where}, line {number}: {line.strip()[:80]}"
        if rest.strip():
            raise DataError("a statement does not end in ;", where=at)
        if any(len(statement) > LONGEST_STATEMENT for statement in whole):
            raise DataError(f"a statement is longer than {LONGEST_STATEMENT} characters", where=at)
        yield from ((at, statement.strip()) for statement in whole if statement.strip())


def _head(
    statements: Iterator[tuple[str, str]], wanted: str, pattern: re.Pattern[str], where: str
) -> re.Match[str]:
    at, statement = next(statements, (where, "the end of the file"))
    match = pattern.fullmatch(statement)
    if match is None:
        hint = "a circuit file is JSON or OpenQASM as toolkit vqe export writes them"
        raise DataError(f"{wanted} is expected here", where=at, hint=hint)
    return match


def _gate(statement: str, n_qubits: int, at: str) -> Gate:
    match = STATEMENT.fullmatch(statement)
    if match is None:
        raise DataError("this is no gate on qubits of q", where=at)
    word, angle, operands = match.groups()
    if word not in GATES:
        raise DataError(f"{word!r} is no gate that is read", where=at, hint=closest(word, GATES))
    name, wires = GATES[word], _wires(operands)
    valid = len(set(wires)) == len(wires) == (2 if name == "CNOT" else 1)
    if not valid or not all(0 <= wire < n_qubits for wire in wires):
        raise DataError(f"{word} does not act on {operands} of {n_qubits} qubits", where=at)
    if (name in ROTATIONS) != (angle is not None):
        raise DataError(f"{word} {'lacks its' if angle is None else 'takes no'} angle", where=at)
    return Gate(name, wires, None if angle is None else _angle(angle, at))


def _wires(operands: str) -> tuple[int, ...]:
    """Numbers of the qubits; -1 for what is no ``q[number]``."""
    matches = [OPERAND.fullmatch(operand) for operand in operands.split(",")]
    return tuple(int(match[1]) if match else -1 for match in matches)


def _angle(text: str, at: str) -> float:
    try:
        if not EXPRESSION.fullmatch(text):
            raise ValueError("only numbers, pi, + - * / and parentheses are read")
        # Python parses the text; it never runs it.
        value = _value(ast.parse(text.strip(), mode="eval").body)
        if not math.isfinite(value):
            raise ValueError("it is not finite")
    except (ValueError, SyntaxError, ArithmeticError) as error:
        reason = "it is malformed" if isinstance(error, SyntaxError) else str(error)
        raise DataError(f"{text[:40]!r} is no angle: {reason}", where=at) from error
    return value


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id="pi"):
            return math.pi
        case ast.UnaryOp(op=sign, operand=inner) if type(sign) in UNARY:
            return UNARY[type(sign)](_value(inner))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            return BINARY[type(sign)](_value(left), _value(right))
    raise ValueError("only numbers, pi, + - * / and parentheses are read")
