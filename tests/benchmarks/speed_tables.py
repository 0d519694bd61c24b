"""The table of ratios against peers, and what has no peer, from the benchmarks' own files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from table_parts import RESULTS, read

_FASTER = "times_faster_than_"


def speed() -> str:
    """A row for each way and its peer; below, sizes and rates."""
    every = [read(path) for path in sorted(RESULTS.glob("bench_*.json"))]
    rows = [
        f"| {what} | {peer} | {ratio:.2f} | `{result['command']}` |"
        for result in every
        for what, peer, ratio in _ratios(result)
    ]
    notes = [note for result in every for note in _notes(result)]
    head = ["| what | peer | times faster | command |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, "", "\n\n".join(notes)])


def _ratios(result: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """What was timed, against whom, and how many times faster it is."""
    if "networks" in result:
        for name, one in result["networks"].items():
            yield f"map, {name}", "sliding window", one[f"{_FASTER}sliding window"]["tiles"]
    elif "sizes" in result:
        for env, one in result["sizes"].items():
            for what, peer, ratio in _ratios(one):
                yield f"batches of replay, {env}, {what}", peer, ratio
    for key in (key for key in result if key.startswith(_FASTER)):
        peer = key.removeprefix(_FASTER)
        yield from ((what, peer, ratio) for what, ratio in result[key].items() if what != peer)


def _notes(result: dict[str, Any]) -> Iterator[str]:
    if "networks" in result:
        yield _maps(result["sizes"])
    elif "sizes" in result:
        yield _checkpoints(result)
    if "beats_per_s" in result:
        rates = [f"{rate:,} on {n}" for n, rate in result["beats_per_s"].items()]
        yield f"Beats classified in a second, by threads: {', '.join(rates)}."


def _maps(sizes: list[dict[str, Any]]) -> str:
    """Seconds and memory of maps of our network by size of the scene."""
    own = [one for one in sizes if one["scene"][0] == "residual"]
    said = [
        f"{'×'.join(map(str, one['scene'][1:4]))} {one['scene'][4]} {one['seconds']:.0f} s, "
        f"{one['peak_mb'] / 1024:.2f} GB ({one['cube_mb'] / 1024:.2f} of them the cube)"
        for one in own
    ]
    return f"Mapping, our hyperspectral network, one thread: {'; '.join(said)}."


def _checkpoints(result: dict[str, Any]) -> str:
    """Bytes and seconds of a replay's first checkpoint and of the next one."""
    said = []
    for env, one in result["sizes"].items():
        later = next(key for key in one if key.startswith("save_after_"))
        ways = [
            f"{save['written_bytes'] / 1e6:.1f} MB in {save['seconds']:.2f} s"
            for save in (one["first_save"], one[later])
        ]
        rows = int(later.split("_")[2])
        said.append(f"{env} {ways[0]}, then {ways[1]} for {rows:,} further rows")
    return f"Checkpoints of a replay of {result['rows']:,} rows: {'; '.join(said)}."
