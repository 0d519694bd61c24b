"""Drawings: every gate is in them, nothing covers another, and equal circuits give equal files."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Circle, FancyBboxPatch
from random_circuits import circuits, random_circuit

from toolkit.core.errors import ConfigError
from toolkit.core.plots import SMALL, WIDTH_IN, caption_of
from toolkit.vqe.circuits import Circuit, Gate
from toolkit.vqe.pictures import drawing

CROSSING = Circuit(4, (Gate("CNOT", (0, 2)), Gate("CNOT", (3, 1))))


def boxes(figure):
    figure.canvas.draw()
    (ax,) = figure.axes
    solid = [p for p in ax.patches if isinstance(p, FancyBboxPatch | Circle)]
    return [p.get_window_extent() for p in solid]


def overlaps(one, other):
    return (min(one.x1, other.x1) - max(one.x0, other.x0) > 0.5) and (
        min(one.y1, other.y1) - max(one.y0, other.y0) > 0.5
    )


def labels(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(("n", "gates"), [(4, 8), (6, 16), (6, 70), (3, 0)])
def test_every_gate_stands_apart_inside_the_page(n, gates):
    circuit = random_circuit(n, gates)
    figure = drawing.figure(circuit, "a circuit")
    found = boxes(figure)
    assert len(found) == circuit.cost.gates + circuit.cost.cnot  # a CNOT is a dot and a cross
    for i, box in enumerate(found):
        assert not any(overlaps(box, other) for other in found[i + 1 :])
    width, height = figure.canvas.get_width_height()
    assert figure.get_figwidth() <= WIDTH_IN
    assert all(min(b.x0, b.y0) >= 0 for b in found)
    assert all(b.x1 <= width and b.y1 <= height for b in found)


def test_every_label_fits_its_gate_at_the_house_size():
    figure = drawing.figure(
        Circuit(1, (Gate("RX", (0,), -2.888), Gate("RZ", (0,), -5 * math.pi / 8)))
    )
    found = boxes(figure)
    inside = [t for t in figure.axes[0].texts if t.get_text().startswith("R")]
    for box, label in zip(found, inside):
        extent = label.get_window_extent()
        assert label.get_fontsize() == SMALL
        assert box.x0 < extent.x0 and extent.x1 < box.x1
        assert box.y0 < extent.y0 and extent.y1 < box.y1


def test_moments_are_numbered_up_to_the_depth():
    circuit = random_circuit(6, 70)
    numbers = [int(label) for label in labels(drawing.figure(circuit)) if label.isdigit()]
    assert numbers == list(range(1, circuit.cost.depth + 1))


@given(circuits(most_qubits=6, most_gates=40))
def test_columns_hold_every_gate_once_and_none_covers_another(circuit):
    drawn = [
        (moment.number - 1, gate)
        for moment in drawing.moments(circuit)
        for column in moment.columns
        for gate in column
    ]
    assert sorted(drawn, key=repr) == sorted(zip(circuit.moments, circuit.gates), key=repr)
    for moment in drawing.moments(circuit):
        for column in moment.columns:
            spans = [(min(gate.wires), max(gate.wires)) for gate in column]
            assert all(below[0] > above[1] for above, below in pairwise(spans))


def test_crossing_cnots_of_a_moment_have_columns_of_their_own():
    (moment,) = drawing.moments(CROSSING)
    assert len(moment.columns) == 2 == CROSSING.cost.gates and CROSSING.cost.depth == 1


def test_a_long_circuit_breaks_into_even_rows_that_say_that_they_go_on():
    circuit = random_circuit(6, 70)
    rows = drawing._rows(drawing.moments(circuit))
    widths = [sum(sum(moment.widths) for moment in row) for row in rows]
    assert len(rows) > 1 and min(widths) > max(widths) / 2
    assert labels(drawing.figure(circuit)).count("⋯") == 6 * (len(rows) - 1)


def test_rows_of_one_wide_moment_each_are_left_so():
    wide = tuple(Gate("CNOT", (i, i + 16)) for i in range(16))  # 16 columns
    rows = drawing._rows(drawing.moments(Circuit(32, wide + wide)))
    assert [len(row) for row in rows] == [1, 1]


@pytest.mark.parametrize(
    ("angle", "written"),
    [
        (math.pi, "π"),
        (-math.pi, "−π"),
        (math.pi / 2, "π/2"),
        (-3 * math.pi / 4, "−3π/4"),
        (2 * math.pi, "2π"),
        (math.pi / 2 + 1e-5, "1.571"),
        (0.0, "0.000"),
        (-1.2345, "−1.234"),
    ],
)
def test_angles_are_multiples_of_pi_or_decimals(angle, written):
    assert drawing.angle_text(angle) == written


@given(st.floats(-7, 7))
def test_a_written_angle_is_the_angle(angle):
    written = drawing.angle_text(angle).replace("−", "-")
    match = re.fullmatch(r"(-?)(\d*)π(?:/(\d))?", written)
    if match:
        sign = -1 if match[1] else 1
        assert sign * int(match[2] or 1) * math.pi / int(match[3] or 1) == pytest.approx(angle)
    else:
        assert float(written) == pytest.approx(angle, abs=5.1e-4)


def test_text_shows_gates_on_their_wires():
    drawn = drawing.text(
        Circuit(3, (Gate("X", (2,)), Gate("RY", (0,), 0.25), Gate("CNOT", (0, 2))))
    )
    first, second, third = drawn.splitlines()
    assert first.startswith("0: ──RY(0.250)─╭●") and third.startswith("2: ──X─────────╰X")
    assert second.startswith("1:") and "(" not in second


def test_long_text_wraps_and_no_line_ends_in_blanks():
    lines = drawing.text(random_circuit(6, 70)).splitlines()
    assert max(map(len, lines)) <= 110 and not any(line != line.rstrip() for line in lines)
    assert sum(line.startswith("0:") for line in lines) > 1


@pytest.mark.parametrize("suffix", [".svg", ".png", ".txt"])
def test_equal_circuits_give_equal_files(tmp_path, suffix):
    paths = [
        drawing.save(random_circuit(4, 12), tmp_path / folder / f"best{suffix}", "x < y")
        for folder in ("a", "b")
    ]
    first, second = (path.read_bytes() for path in paths)
    assert first and first == second
    other = drawing.save(random_circuit(4, 12, seed=1), tmp_path / f"other{suffix}")
    assert other.read_bytes() != first


def test_an_svg_holds_title_and_labels_but_no_date(tmp_path):
    path = drawing.save(Circuit(1, (Gate("RX", (0,), math.pi),)), tmp_path / "one.svg", "H₂")
    content = path.read_text()
    assert "<dc:title>H₂</dc:title>" in content and "<!-- RX" in content
    assert "dc:date" not in content and content.count("<svg") == 1


def test_a_png_carries_its_title(tmp_path):
    assert caption_of(drawing.save(CROSSING, tmp_path / "one.png", "crossing")) == "crossing"


@pytest.mark.parametrize("name", ["best.pdf", "best", "svg"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="no drawing as"):
        drawing.save(CROSSING, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_circuit_beyond_any_page_is_refused_as_a_figure():
    gates = tuple(Gate("RX", (0,), 0.1) for _ in range(20_000))
    with pytest.raises(ConfigError, match="20000 gates"):
        drawing.figure(Circuit(6, gates))
