"""A step of the environment: our converged angles, and COBYLA on Qulacs as it was published.

    python tests/benchmarks/bench_vqe_step.py

Both walk the same circuits, which grow from one gate to 40, each step from the converged angles of
the step before; then both take the 40th step alone, the longest. With ``--out FILE`` the figures of
all steps go to FILE, those of the last to FILE with ``_last`` before its suffix.
"""

from __future__ import annotations

from collections.abc import Callable

import vqe_cases  # isort: skip
import numpy as np
from scipy.optimize import minimize
from side_by_side import arguments, compare

from toolkit.vqe.circuits import ROTATIONS, Circuit
from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.simulator import gradient_of

GATES = 40
PEER = "COBYLA, 100 iterations, Qulacs as published"
OURS = "converged angles"
AUTHORS_MS = 11.5  # of COBYLA-100 at 40 gates by an older SciPy, whose COBYLA was faster
REPEATS = 20  # of the last step


def episode(environment: Environment, seed: int = 0) -> tuple[list[int], list[Circuit]]:
    """Random legal actions, and the circuit with converged angles after each."""
    random, actions, circuits = np.random.default_rng(seed), [], []
    environment.reset(-np.inf)
    while environment.n_gates < GATES:
        actions.append(int(random.choice(np.flatnonzero(environment.legal()))))
        environment.step(actions[-1])
        circuits.append(environment.circuit())
    return actions, circuits


def walk(environment: Environment, actions: list[int]) -> None:
    environment.reset(-np.inf)
    for action in actions:
        environment.step(action)


def published(hamiltonian, before: Circuit, circuit: Circuit) -> Callable[[], object]:
    """COBYLA over all angles of ``circuit``, from those of the circuit before it."""
    energy = vqe_cases.qulacs_as_published(circuit, hamiltonian)
    turned = [0.0] if circuit.gates[-1].name in ROTATIONS else []
    start = np.r_[before.angles, turned]
    if len(start) == 0:
        return lambda: energy(start)
    return lambda: minimize(energy, start, method="COBYLA", options={"maxiter": 100})


def largest_derivative(environment: Environment, circuits: list[Circuit]) -> float:
    """Over all circuits, in Hartree per radian."""
    operator, largest = environment.simulator.operator, 0.0
    for one in circuits:
        slopes = gradient_of(one.encoded, one.angles, one.n_qubits, operator)[1]
        largest = max(largest, float(np.abs(slopes).max(initial=0.0)))
    return largest


def main() -> None:
    options = arguments(__doc__)
    hamiltonian = vqe_cases.lih(4)
    environment = Environment(hamiltonian, EnvironmentConfig(max_gates=GATES))
    actions, circuits = episode(environment)
    largest = largest_derivative(environment, circuits)
    assert largest < 1e-5, "the angles did not converge"
    befores = [environment.start, *circuits]
    steps = [published(hamiltonian, *pair) for pair in zip(befores, circuits)]
    all_steps = {OURS: lambda: walk(environment, actions), PEER: lambda: [one() for one in steps]}
    asked, facts = options.out, {"gates": GATES, "largest_derivative": largest}
    found = compare(all_steps, PEER, options, steps=GATES, **facts)
    for name, seconds in found["median_s"].items():
        print(f"{name}: {1e3 * seconds / GATES:.3f} ms a step, mean of 1 to {GATES} gates")
    walk(environment, actions[:-1])
    last = {  # our step, left out afterwards, without the bookkeeping of the actions
        f"{OURS}, {GATES}th gate": lambda: repeated(lambda: environment.circuit_ahead(actions[-1])),
        f"{PEER}, {GATES}th gate": lambda: repeated(steps[-1]),
    }
    options.out = asked and asked.with_stem(f"{asked.stem}_last")
    found = compare(last, f"{PEER}, {GATES}th gate", options, steps=REPEATS, **facts)
    for name, seconds in found["median_s"].items():
        ms = 1e3 * seconds / REPEATS
        print(f"{name}: {ms:.3f} ms, {AUTHORS_MS / ms:.1f} times faster than {AUTHORS_MS} ms")


def repeated(way: Callable[[], object]) -> None:
    for _ in range(REPEATS):
        way()


if __name__ == "__main__":
    main()
