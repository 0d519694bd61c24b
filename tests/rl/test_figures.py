"""Figures of one run and of a comparison: what they show and what their captions say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.core import config as configs
from toolkit.core.plots import caption_of
from toolkit.core.run import Run
from toolkit.rl.config import RlRunConfig
from toolkit.rl.figures import draw, read_episodes, run_figures
from toolkit.rl.protocol import comparison_figures
from toolkit.rl.protocol.comparison import compare
from toolkit.rl.protocol.reference import references


def lines(n: int = 20, actions: int = 3, every: int = 5000, **more: Any) -> list[dict[str, Any]]:
    """Evaluations whose return rises while σ falls to its floor."""
    generator = np.random.default_rng(0)
    found = []
    for i in range(1, n + 1):
        sigmas = 0.1 + 0.4 * np.exp(-i / 5) * np.linspace(0.6, 1.4, actions)
        line = {"step": every * i, "time_s": 10.0 * i, "evaluation/return_sd": 100.0 + 5 * i}
        line["evaluation/return"] = 3000 * (1 - np.exp(-i / 8)) + generator.normal(0, 120)
        line |= {f"sigma/{j}": value for j, value in enumerate(sigmas)}
        found.append({**line, "sigma/mean": float(sigmas.mean()), **more})
    return found


def episodes(n: int = 1500, last: int = 100_000) -> Any:
    step = np.linspace(50, last, n)
    noise = np.random.default_rng(1).normal(0, 250, n)
    return np.c_[step, 2200 * (1 - np.exp(-step / 40_000)) + noise]


def labels(ax: Any) -> list[str]:
    return ax.get_legend_handles_labels()[1]


def test_return_stands_above_sigma_of_every_dimension() -> None:
    found = run_figures(lines(actions=12), episodes(), floor=0.1, ceiling=1.0, title="Hopper-v5")
    figure, caption = found["return_and_sigma"]
    above, below = figure.axes
    assert above.get_title(loc="left") == "Hopper-v5"
    assert set(labels(above)) >= {"mode, fixed starts", "training episode", "its running median"}
    thin = [line for line in below.lines if line.get_linewidth() < 0.85]
    assert len(thin) == 12
    bounds = [line.get_ydata()[0] for line in below.lines if line.get_linestyle() in ("--", "-.")]
    assert bounds == [0.1, 1.0]
    assert labels(below)[-2:] == ["floor of σ: 0.1", "ceiling of σ: 1"]
    assert above.get_xlim() == below.get_xlim()
    assert below.get_xlabel() == "environment steps"
    assert "σ" in caption and "training" in caption


def test_dimensions_keep_their_order_beyond_ten() -> None:
    figure, _ = run_figures(lines(actions=12), [])["return_and_sigma"]
    ends = [line.get_ydata()[-1] for line in figure.axes[1].lines[:12]]
    assert ends == sorted(ends)


def test_only_what_was_logged_is_shown() -> None:
    assert run_figures([], []) == {}
    assert run_figures([{"step": 1, "evaluation/return": None}], []) == {}
    bare = [{"step": 1000, "evaluation/return": 5.0}]
    found = run_figures(bare, [])
    assert found.keys() == {"return_and_sigma"}
    figure, caption = found["return_and_sigma"]
    assert len(figure.axes) == 1 and "Below" not in caption
    assert figure.axes[0].get_xlabel() == "environment steps"


def test_diagnostics_have_a_panel_for_each_key() -> None:
    some = run_figures(lines(**{"value/bias": 3.0}), [])["soundness"][0]
    assert len(some.axes) == 1
    logged = lines(**{"value/bias": 3.0, "train/mode_distance": 0.4, "train/ratio": 0.9})
    figure, caption = run_figures(logged, [])["soundness"]
    assert len(figure.axes) == 3 and "density ratio" in caption
    assert "soundness" not in run_figures(lines(), [])


def test_references_within_the_run_are_marked_with_their_sources() -> None:
    published = references("Hopper-v5")
    figure, caption = run_figures(lines(), [], references=published)["return_and_sigma"]
    (mark,) = [ln for ln in figure.axes[0].lines if ln.get_label() == "SAC (v4), published"]
    assert mark.get_xydata().tolist() == [[50_000, 530], [100_000, 1103]]
    assert "arXiv 1812.05905" in caption and "CrossQ" not in caption


def test_a_run_is_drawn_into_its_folder(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "rl", "run", RlRunConfig())
    for line in lines(4, **{"value/bias": 1.0}):
        run.log_metrics(line)
    assert read_episodes(run).shape == (0, 2)
    header = "step,environment,return,length,terminated,time_s\n"
    (run.path / "episodes.csv").write_text(header + "120,0,15.5,120,1,0.4\n250,0,17,130,0,0.9\n")
    assert read_episodes(run).tolist() == [[120, 15.5], [250, 17]]
    draw(run, floor=0.1)
    drawn = sorted(run.figures.iterdir())
    assert [path.name for path in drawn] == ["return_and_sigma.png", "soundness.png"]
    assert all(path.stat().st_size > 5000 and "." in caption_of(path) for path in drawn)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two presets on two environments and a third on one of them, three seeds each."""
    kinds = [("acerax", "HalfCheetah-v5", 3.0), ("acerax", "Hopper-v5", 0.5)]
    kinds += [("sac", "HalfCheetah-v5", 2.0), ("sac", "Hopper-v5", 0.6)]
    for label, env, scale in kinds:
        for seed in range(3):
            flags = {"env": env, "label": label, "seed": seed, "steps": 100_000}
            run = Run.create(tmp_path / "runs", "rl", "run", configs.load(RlRunConfig, flags=flags))
            for line in lines(20 - 2 * seed if label == "sac" else 20):
                factor = scale * (1 + 0.15 * seed)
                key = "evaluation/return"
                run.log_metrics({**line, key: factor * line[key]})
    return tmp_path / "runs"


def drawn(runs: Path, **options: Any) -> dict[str, tuple[Any, str]]:
    return dict(comparison_figures.figures(compare([str(runs)], runs, **options)))


def test_a_preset_has_one_colour_in_all_figures_and_its_n_is_told(runs: Path) -> None:
    found = drawn(runs)
    assert found.keys() == {
        *("returns-HalfCheetah-v5", "returns-Hopper-v5", "sigma-HalfCheetah-v5"),
        *("sigma-Hopper-v5", "aggregate", "profile", "improvement"),
    }
    colours = {
        (line.get_label(), line.get_color())
        for name in ("returns-Hopper-v5", "sigma-Hopper-v5", "profile")
        for line in found[name][0].axes[0].lines
        if line.get_label() in ("acerax", "sac")
    }
    assert len(colours) == 2
    for name, (_, caption) in found.items():
        assert ("acerax: n = 3" in caption) == name.startswith(("returns", "sigma"))


def test_curves_stand_beside_published_marks_at_equal_steps_alone(runs: Path) -> None:
    figure, caption = drawn(runs)["returns-HalfCheetah-v5"]
    assert "SAC (v4), published" in labels(figure.axes[0])
    assert "CrossQ (v4) 12893" in caption
    figure, caption = drawn(runs, axis="time")["returns-HalfCheetah-v5"]
    assert labels(figure.axes[0]) == ["acerax", "sac", "budget of the table"]
    assert "published" not in caption and figure.axes[0].get_xlabel() == "trained seconds"


def test_the_page_holds_figures_rows_and_warnings(runs: Path, tmp_path: Path) -> None:
    found = compare([str(runs)], runs)
    result = {"rows": found.rows(), "aggregate": {}, "improvement": []}
    result |= {"notes": ["a note"], "warnings": ["something was left out"]}
    files = comparison_figures.write(found, tmp_path / "out", result, "toolkit rl compare X")
    page = (tmp_path / "out" / "report.html").read_text()
    assert files[-1].name == "report.html"
    for text in ("acerax", "something was left out", "toolkit rl compare X", "data:image/png"):
        assert text in page
