"""Drawings of circuits: text, and figures in the house style.

A column of a figure is a moment: gates that are done at once, numbered above; the last number is
the depth. A moment whose CNOTs would cross has a column for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from toolkit.core import plots
from toolkit.core.errors import ConfigError
from toolkit.core.files import saving, write_atomic
from toolkit.core.plots import FAINT, INK, PALETTE, SMALL, WIDTH_IN
from toolkit.vqe.circuits import ROTATIONS, Circuit, Gate

TEXT_WIDTH = 100  # characters
COLOURS = {"RX": PALETTE[1], "RY": PALETTE[0], "RZ": PALETTE[2], "X": PALETTE[6]}

# Inches: between wires, between blocks of wires, gate boxes, columns without and with rotations.
WIRE, BLOCK, LABEL, TITLE, MARGIN = 0.46, 0.42, 0.42, 0.28, 0.08
BOX, SLIM_BOX, BOX_HEIGHT = 0.50, 0.30, 0.36
COLUMN, SLIM_COLUMN = 0.60, 0.40
HIGHEST = 400  # a PNG has at most 2**16 rows of pixels


class Moment(NamedTuple):
    """Gates done at once, in columns whose gates do not cover each other."""

    number: int
    columns: list[list[Gate]]

    @property
    def widths(self) -> list[float]:
        """Inches of each column."""
        rotates = [any(gate.name in ROTATIONS for gate in column) for column in self.columns]
        return [COLUMN if wide else SLIM_COLUMN for wide in rotates]


def text(circuit: Circuit) -> str:
    """The circuit as text by PennyLane, angles in radians, wrapped at 100 characters."""
    from pennylane.drawer import tape_text
    from pennylane.tape import QuantumScript

    from toolkit.vqe.verification import operations

    script, wires = QuantumScript(operations(circuit)), range(circuit.n_qubits)
    drawn = tape_text(
        script, wire_order=wires, show_all_wires=True, decimals=3, max_length=TEXT_WIDTH
    )
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def save(circuit: Circuit, path: Path, title: str = "") -> Path:
    """Write the drawing as the suffix says: .svg, .png or .txt; equal circuits give equal files.

    Raises:
        ConfigError: another suffix.
    """
    if path.suffix not in (".svg", ".png", ".txt"):
        raise ConfigError(
            f"no drawing as {path.suffix or path.name!r}", where=str(path), hint=".svg, .png, .txt"
        )
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        return plots.save(figure(circuit, title), path, title or "Circuit")
    write_atomic(path, text(circuit) if path.suffix == ".txt" else _svg(circuit, title))
    return path


def _svg(circuit: Circuit, title: str) -> bytes:
    buffer = BytesIO()
    metadata = {"Date": None, "Creator": None, "Title": title or "Circuit"}
    with mpl.rc_context({"svg.hashsalt": "toolkit"}):  # else its ids are random
        figure(circuit, title).savefig(
            buffer, format="svg", bbox_inches="tight", pad_inches=0.06, metadata=metadata
        )
    return buffer.getvalue()


def angle_text(angle: float) -> str:
    """A short multiple of pi where the angle is one to 1e-6, else radians to 3 decimals."""
    part = Fraction(angle / math.pi).limit_denominator(8)
    if part == 0 or abs(float(part) * math.pi - angle) > 1e-6:
        written = f"{angle:.3f}"
    else:
        count = "" if abs(part.numerator) == 1 else str(abs(part.numerator))
        below = "" if part.denominator == 1 else f"/{part.denominator}"
        written = f"{'-' if part < 0 else ''}{count}π{below}"
    return written.replace("-", "−")


def moments(circuit: Circuit) -> list[Moment]:
    """The gates by moment, and by column within it."""
    order = sorted(zip(circuit.moments, circuit.gates), key=lambda pair: pair[0])
    by_moment = groupby(order, key=lambda pair: pair[0])
    return [Moment(number + 1, _columns([g for _, g in pairs])) for number, pairs in by_moment]


def _columns(gates: Sequence[Gate]) -> list[list[Gate]]:
    columns: list[list[Gate]] = []
    for gate in sorted(gates, key=lambda gate: min(gate.wires)):
        free = (column for column in columns if max(column[-1].wires) < min(gate.wires))
        column = next(free, None)
        if column is None:
            columns.append(column := [])
        column.append(gate)
    return columns


def _rows(all_moments: Sequence[Moment]) -> list[list[Moment]]:
    """Moments broken into as few rows as the page's width allows, of much the same length."""
    room = WIDTH_IN - LABEL - 2 * MARGIN - 0.2  # for the dots
    rows = _filled(all_moments, room)
    widest = max((sum(moment.widths) for moment in all_moments), default=room)
    while len(rows) > 1 and room - SLIM_COLUMN / 2 > widest:
        room -= SLIM_COLUMN / 2
        narrower = _filled(all_moments, room)
        if len(narrower) > len(rows):
            break
        rows = narrower
    return rows


def _filled(all_moments: Sequence[Moment], room: float) -> list[list[Moment]]:
    rows: list[list[Moment]] = [[]]
    for moment in all_moments:
        if rows[-1] and sum(sum(m.widths) for m in [*rows[-1], moment]) > room:
            rows.append([])
        rows[-1].append(moment)
    return rows


def figure(circuit: Circuit, title: str = "") -> Figure:
    """The circuit as a figure; angles stand in their gates (radians), long circuits wrap.

    Raises:
        ConfigError: the circuit is longer than a figure can be (several hundred moments).
    """
    rows = _rows(moments(circuit))
    longest = max(sum(sum(moment.widths) for moment in row) for row in rows)
    width = LABEL + max(longest, COLUMN) + 2 * MARGIN
    block = BLOCK + WIRE * (circuit.n_qubits - 0.5)
    height = (TITLE if title else 0) + block * len(rows) + MARGIN
    if height > HIGHEST:
        what = f"a circuit of {len(circuit.gates)} gates is too long for a figure"
        raise ConfigError(what, hint="draw it as text: a file that ends in .txt")
    drawn, (ax,) = plots.canvas(width, height)
    drawn.set_layout_engine("none")  # an inch of the axes is an inch of paper
    ax.set_position((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    if title:
        _write(ax, MARGIN, TITLE / 2 + 0.04, title, fontsize=SMALL + 1, ha="left")
    for i, row in enumerate(rows):
        top = (TITLE if title else 0) + i * block + BLOCK / 2 + WIRE / 2
        _row(ax, circuit.n_qubits, row, top, continues=i + 1 < len(rows))
    return drawn


def _row(ax: Axes, n: int, row: Sequence[Moment], top: float, *, continues: bool) -> None:
    x = left = MARGIN + LABEL
    for moment in row:
        width = sum(moment.widths)
        _moment(ax, moment, n, x, top)
        x += width
    for wire in range(n):
        y = top + wire * WIRE
        if continues:
            _write(ax, x + 0.08, y, "⋯", ha="left")
        _write(ax, left - 0.1, y, f"q{wire}", ha="right")
        ax.plot([left - 0.05, x + 0.05], [y, y], color=INK, linewidth=0.7, zorder=1)


def _moment(ax: Axes, moment: Moment, n: int, x: float, top: float) -> None:
    width = sum(moment.widths)
    if moment.number % 2:
        height = (n - 1) * WIRE + BOX_HEIGHT + 0.06
        corner = (x, top - BOX_HEIGHT / 2 - 0.03)
        ax.add_patch(Rectangle(corner, width, height, color=FAINT, alpha=0.3, lw=0, zorder=0))
    number_y = top - BOX_HEIGHT / 2 - 0.1
    _write(ax, x + width / 2, number_y, str(moment.number), color="#777777")
    for column, column_width in zip(moment.columns, moment.widths):
        for gate in column:
            _gate(ax, gate, x + column_width / 2, top)
        x += column_width


def _gate(ax: Axes, gate: Gate, x: float, top: float) -> None:
    ys = [top + wire * WIRE for wire in gate.wires]
    if gate.name == "CNOT":
        _cnot(ax, x, *ys)
    else:
        _box(ax, gate, x, ys[0])


def _cnot(ax: Axes, x: float, control: float, target: float) -> None:
    radius = 0.1
    ax.plot([x, x], [control, target], color=INK, linewidth=1.1, zorder=2)
    ax.add_patch(Circle((x, control), 0.05, color=INK, zorder=3, linewidth=0))
    ax.add_patch(Circle((x, target), radius, fc="white", ec=INK, lw=1.1, zorder=3))
    ax.plot([x - radius, x + radius], [target, target], color=INK, linewidth=1.1, zorder=4)
    ax.plot([x, x], [target - radius, target + radius], color=INK, linewidth=1.1, zorder=4)


def _box(ax: Axes, gate: Gate, x: float, y: float) -> None:
    colour, width = COLOURS[gate.name], BOX if gate.angle is not None else SLIM_BOX
    tint = tuple(1 - 0.16 * (1 - part) for part in to_rgb(colour))
    corner, style = (x - width / 2, y - BOX_HEIGHT / 2), "round,pad=0,rounding_size=0.04"
    ax.add_patch(
        FancyBboxPatch(
            corner, width, BOX_HEIGHT, boxstyle=style, fc=tint, ec=colour, lw=0.9, zorder=3
        )
    )
    label = gate.name if gate.angle is None else f"{gate.name}\n{angle_text(gate.angle)}"
    _write(ax, x, y, label, va="center_baseline", linespacing=1.1, zorder=5)


def _write(ax: Axes, x: float, y: float, label: str, **style: Any) -> None:
    ax.text(
        x, y, label, **{"fontsize": SMALL, "color": INK, "ha": "center", "va": "center", **style}
    )
