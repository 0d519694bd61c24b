"""Which figures a search leaves, and what their captions say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from toolkit.core import plots
from toolkit.core.run import Run
from toolkit.vqe.archive import CHEMICAL_ACCURACY_HA
from toolkit.vqe.circuits import Circuit
from toolkit.vqe.pictures import drawing
from toolkit.vqe.pictures.chart_style import FLOOR_HA, Floats, Row
from toolkit.vqe.pictures.charts import FEWEST, WINDOW, errors, median_width, success
from toolkit.vqe.pictures.front_chart import front

_FLOOR = f"Errors below {FLOOR_HA:g} Ha stand at {FLOOR_HA:g} Ha."


def draw(
    run: Run,
    history: ArrayLike,
    greedy: Sequence[Row],
    circuit: Circuit,
    pareto: Sequence[Row],
    baselines: Sequence[Row],
    *,
    published: Sequence[Row] = (),
    e_min_below_ha: float = 0.0,
) -> None:
    """Write circuit, errors, front and success of a search into ``run``.

    Args:
        run: its folder of figures is written to.
        history: (episodes, 3), see :func:`errors`, with errors and threshold above E_min.
        greedy: lines of metrics, see :func:`success`, with errors above E_min.
        circuit: the best circuit.
        pareto: rows of the front, see :func:`front`, like the next two.
        baselines: rows with their method.
        published: rows with their method and source.
        e_min_below_ha: how far E_min lies below the exact energy; 0 where it is known.
    """
    key = "greedy/error_ha"
    table = np.asarray(history, np.float64).reshape(-1, 3) - [e_min_below_ha, e_min_below_ha, 0]
    lines = [{**one, key: one[key] - e_min_below_ha} for one in greedy if one.get(key) is not None]
    _draw_circuit(run, circuit)
    if len(table) or lines:
        _draw_errors(run, table, [(line["step"], line[key]) for line in lines])
    _draw_front(run, pareto, baselines, published)
    if lines:
        _draw_success(run, lines)


def _draw_circuit(run: Run, circuit: Circuit) -> None:
    cost = circuit.cost
    caption = (
        f"The best circuit: depth {cost.depth}; gates: {cost.gates}, of them CNOTs: {cost.cnot}. "
        "Columns are moments: gates done at once. Angles are in radians."
    )
    plots.save(drawing.figure(circuit), run.figures / "circuit.png", caption)


def _draw_errors(run: Run, history: Floats, greedy: Sequence[tuple[float, float]]) -> None:
    width = median_width(len(history))
    median = f", their running median over {width} episodes" if width > 1 else ""
    caption = (
        f"Error above the exact energy by episode: the lowest that an episode saw{median}, the "
        "threshold below which it succeeds, and the greedy episodes between, in which the agent "
        f"takes the actions that it values most. {_FLOOR}"
    )
    plots.save(errors(history, greedy), run.figures / "errors.png", caption)


def _draw_front(
    run: Run, pareto: Sequence[Row], baselines: Sequence[Row], published: Sequence[Row]
) -> None:
    sources = "; ".join(dict.fromkeys(row["source"] for row in published))
    others = (
        "; open marks, and vertical lines where a paper gives no error but chemical accuracy: "
        f"published results ({sources})"
        if published
        else ""
    )
    caption = (
        "What circuits of a given depth or number of CNOTs reach. Pale points: all circuits of the "
        "search's Pareto front; line: the lowest error at that cost or a lower one. Marks: "
        f"baselines on the same Hamiltonian{others}. {_FLOOR}"
    )
    plots.save(front(pareto, baselines, published), run.figures / "front.png", caption)


def _draw_success(run: Run, greedy: Sequence[Row]) -> None:
    accuracy = f"{1e3 * CHEMICAL_ACCURACY_HA:g} mHa"
    caption = (
        f"Greedy episodes: the share with an error below {accuracy}, and gates and depth of the "
        f"circuit with the lowest error. Points are single episodes, lines means over the last "
        f"{WINDOW} (at the start over those so far, from the {FEWEST}th on)."
    )
    plots.save(success({"": greedy}), run.figures / "success.png", caption)
