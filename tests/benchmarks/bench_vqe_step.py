"""A step of the environment: our converged angles, and COBYLA on Qulacs as it was published.

python tests/benchmarks/bench_vqe_step.py
"""

from __future__ import annotations

import numpy as np
import vqe_cases
from scipy.optimize import minimize
from side_by_side import arguments, compare

from toolkit.vqe.config import EnvironmentConfig
from toolkit.vqe.environment import Environment
from toolkit.vqe.simulator import gradient_of

GATES = 40
PEER = "COBYLA, 100 iterations, Qulacs as published"


AUTHORS_MS = 11.5  # of COBYLA-100 by an older SciPy, whose COBYLA was faster


def random_episode(environment: Environment, seed: int) -> None:
    """A whole episode of random legal actions: every step re-optimises all angles."""
    random = np.random.default_rng(seed)
    environment.reset(0.0)
    while environment.n_gates < GATES and environment.legal().any():
        environment.step(int(random.choice(np.flatnonzero(environment.legal()))))


def main() -> None:
    options = arguments(__doc__)
    hamiltonian = vqe_cases.lih(4)
    environment = Environment(hamiltonian, EnvironmentConfig(max_gates=GATES))
    random_episode(environment, 0)
    circuit = environment.circuit()
    operator = environment.simulator.operator
    slope = gradient_of(circuit.encoded, circuit.angles, 4, operator)[1]
    energy = vqe_cases.qulacs_as_published(circuit, hamiltonian)
    start = np.random.default_rng(0).uniform(-1, 1, len(circuit.angles))

    def cobyla() -> None:  # one step: all angles of a circuit of 40 gates
        for _ in range(GATES):
            minimize(energy, start, method="COBYLA", options={"maxiter": 100})

    largest = float(np.abs(slope).max())
    assert largest < 1e-5, "the angles did not converge"
    ways = {"a step with converged angles": lambda: random_episode(environment, 0), PEER: cobyla}
    found = compare(ways, PEER, options, steps=GATES, largest_derivative=largest)
    step_ms = 1e3 * found["median_s"]["a step with converged angles"] / GATES
    print(f"{AUTHORS_MS / step_ms:.0f} times faster than {AUTHORS_MS} ms, as was measured before")
    print(f"{step_ms:.3f} ms a step; largest derivative at the end {largest:.1e} Ha/rad")


if __name__ == "__main__":
    main()
