"""``toolkit vqe`` as a chemist types it, on the smallest molecules."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from commands import answer, call, refused, spawn

from toolkit.core.run import Run

SMALL = ("--molecule", "H2", "--mapping", "parity", "--seed", 1)
QUICK = ("--set", "baselines=['hartree-fock']", "--set", "agent.hidden=[16]")
QUICK += ("--set", "annealing_moves=500")
TIMES = {"time_s", "trained_s", "training_steps_per_s", "compile_s", "seconds", "run"}


def searching(steps: int, **sets: object) -> list[object]:
    """The words of a small search: H2 on two qubits."""
    words: list[object] = ["vqe", "search", *SMALL, *QUICK, "--set", "agent.warmup=40"]
    for key, value in {"steps": steps, "evaluate_every": 10, **sets}.items():
        words += ["--set", f"{key}={value}"]
    return words


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search; not to be changed."""
    folder = tmp_path_factory.mktemp("vqe")
    return Path(answer(*searching(60), "--runs-dir", folder)["run"])


def timeless(value: Any) -> Any:
    """``value`` without clocks."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def test_a_search_ends_in_a_circuit_its_front_and_its_baselines(finished: Path) -> None:
    result = Run(finished).result
    assert result is not None
    assert result["best"].keys() >= {
        *("energy_ha", "error_ha", "depth", "gates", "cnot", "rotations")
    }
    assert -1e-9 < result["best"]["error_ha"] < 1.6e-3
    assert result["chemical_accuracy"] is True
    assert result["e_min_mode"] == "known"
    assert result["post_processed"] is Run(finished).settings["post_process"]
    assert result["greedy_success_rate"] is not None
    assert result["training_steps_per_s"] > 0
    assert [row["method"] for row in result["baselines"]] == ["hartree-fock"]
    assert all(row["error_ha"] > -1e-9 for row in result["pareto"])
    assert result["best"] in result["pareto"]
    assert "active space" in result["exact_in"]
    figures = {path.name for path in (finished / "figures").glob("*.png")}
    assert figures == {"circuit.png", "errors.png", "front.png", "success.png"}
    page = (finished / "report.html").read_text()
    assert "active space" in page and "hartree-fock" in page
    large = re.findall(r"<dt>(.*?)</dt>\s*<dd>", page.partition("</dl>")[0])
    assert large[:4] == ["error_mha", "best.depth", "best.gates", "best.cnot"]
    assert result["error_mha"] == pytest.approx(1e3 * result["best"]["error_ha"])


def test_pennylane_agrees_with_the_search(finished: Path) -> None:
    result = Run(finished).result
    assert result is not None
    found = answer("vqe", "verify", finished)
    assert found["agrees"] is True
    assert found["energy_ha"] == pytest.approx(result["best"]["energy_ha"], abs=1e-8)
    assert found["chemical_accuracy"] is True
    cost = {key: result["best"][key] for key in ("depth", "gates", "cnot", "rotations")}
    assert {key: found[key] for key in cost} == cost


@pytest.mark.parametrize("form", ["json", "qasm2", "qasm3"])
def test_an_exported_circuit_verifies_by_itself(finished: Path, tmp_path: Path, form: str) -> None:
    path = tmp_path / ("best.json" if form == "json" else "best.qasm")
    assert call("vqe", "export", finished, "--format", form, "--out", path).exit_code == 0
    shown = call("vqe", "export", finished, "--format", form)
    assert shown.stdout == path.read_text()
    molecule = ("--molecule", "H2", "--mapping", "parity")
    found = answer("vqe", "verify", path, *molecule)
    assert found["error_ha"] < 1.6e-3
    assert found["agrees"] is (True if form == "json" else None)  # OpenQASM claims no energy


def test_a_circuit_of_another_molecule_does_not_verify(finished: Path, tmp_path: Path) -> None:
    found = call("vqe", "verify", finished, "--molecule", "H2", "--bond-length", "1.5")
    assert found.exit_code == 1
    assert "PennyLane gives" in found.stderr
    call("vqe", "export", finished, "--format", "json", "--out", tmp_path / "best.json")
    refused(2, "vqe", "verify", tmp_path / "best.json", says=("which operator",))


def test_noise_is_reported_beside_the_exact_energy(finished: Path) -> None:
    found = answer("vqe", "verify", finished, "--shots", 2000, "--p1", 0.01, "--p2", 0.05)
    estimate = found["from_shots"]
    noisy = found["depolarised"]["energy_ha"]
    assert abs(estimate["mean_ha"] - noisy) < 6 * estimate["standard_error_ha"]
    assert noisy > found["energy_ha"]


def test_a_circuit_is_drawn(finished: Path, tmp_path: Path) -> None:
    assert "RY" in call("vqe", "draw", finished).stdout
    for name in ("circuit.svg", "circuit.png", "circuit.txt"):
        assert call("vqe", "draw", finished, "--out", tmp_path / name).exit_code == 0
        assert (tmp_path / name).stat().st_size > 0


def test_a_curve_follows_the_bond(finished: Path, tmp_path: Path) -> None:
    words = ("vqe", "curve", "--from", finished, "--bond-lengths", "0.6:1.0:0.2", "--out", tmp_path)
    found = answer(*words)
    assert [row["bond_length_a"] for row in found["points"]] == [0.6, 0.8, 1.0]
    assert all(-1e-9 < row["error_ha"] < 1.6e-3 for row in found["points"])
    assert (tmp_path / "curve.png").stat().st_size > 0


def test_a_curve_that_cannot_be_is_refused(finished: Path, tmp_path: Path) -> None:
    where = ("--out", tmp_path / "curve")
    curve = ("vqe", "curve", "--from", finished)
    refused(3, *curve, "--molecule", "LiH", "--bond-lengths", "2.2", *where, says=("qubits",))
    refused(2, *curve, "--bond-lengths", "0,1.0", *where, says=("bond_length_a",))
    refused(2, *curve, "--bond-length", "1.0", *where, says=("--bond-lengths",))
    refused(2, "vqe", "curve", "--molecule", "H2", *where, says=("--from",))
    refused(2, "vqe", "curve", "--mapping", "bravyi-kitaev", *where, says=("--from",))
    assert not (tmp_path / "curve").exists()


def test_what_cannot_be_written_is_said(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words in (("export", finished), ("draw", finished), ("hamiltonian", "--molecule", "H2")):
        refused(4, "vqe", *words, "--out", tmp_path / "file" / "x.svg", says=("cannot write",))


def test_one_search_is_one_process(tmp_path: Path) -> None:
    process = spawn(*searching(5), "--devices", 2, "--runs-dir", tmp_path)
    _, stderr = process.communicate(timeout=180)
    assert process.returncode != 0
    assert "a search is one process" in stderr and "toolkit sweep" in stderr


def test_a_warning_of_the_operator_reaches_the_result(tmp_path: Path) -> None:
    words = searching(3)
    words[2:6] = ["--molecule", "LiH", "--active-orbitals-list", "1,2,3"]
    found = answer(*words, "--runs-dir", tmp_path)
    assert any("equal energy" in warning for warning in found["warnings"])


def test_a_hamiltonian_file_takes_the_place_of_a_molecule(tmp_path: Path) -> None:
    made = answer("vqe", "hamiltonian", "--molecule", "H2", "--out", tmp_path / "H.json")
    words = searching(20)
    del words[2:6]
    found = answer(*words, "--hamiltonian", tmp_path / "H.json", "--runs-dir", tmp_path)
    assert found["exact_energy_ha"] == pytest.approx(made["ground_energy_ha"], abs=1e-12)
    rows = answer("vqe", "baseline", "--hamiltonian", tmp_path / "H.json", "--method", "ladder")
    assert rows["baselines"][0]["error_ha"] < 1.6e-3


def test_one_seed_gives_one_search(finished: Path, tmp_path: Path) -> None:
    again = Path(answer(*searching(60), "--runs-dir", tmp_path)["run"])
    assert timeless(Run(again).result) == timeless(Run(finished).result)
    assert timeless(Run(again).metrics) == timeless(Run(finished).metrics)


@pytest.mark.parametrize("after", [7, 23, 48])
def test_a_killed_search_goes_on_as_if_nothing_had_been(
    finished: Path, tmp_path: Path, after: int
) -> None:
    words = searching(60, checkpoint_every_s=0)
    kill = (
        "import os, signal\nfrom toolkit.vqe.search import Search\nstep = Search.step\n"
        f"def dying(self, i):\n    if i == {after}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return step(self, i)\nSearch.step = dying"
    )
    process = spawn(*words, "--runs-dir", tmp_path, code=kill)
    process.communicate(timeout=120)
    assert process.returncode == -9
    (path,) = (found.parent for found in tmp_path.glob("vqe-*/env.json"))
    resumed = answer("runs", "resume", path)
    assert timeless(resumed) == timeless(Run(finished).result)
    assert timeless(Run(path).metrics) == timeless(Run(finished).metrics)


def test_a_time_limit_leaves_a_result_and_a_run_that_goes_on(tmp_path: Path) -> None:
    found = answer(*searching(10**6), "--max-time", "1s", "--runs-dir", tmp_path)
    assert found["stopped_by"] == "max_time"
    assert Run(Path(found["run"])).status["state"] == "paused"
    more = answer("runs", "resume", found["run"], "--max-time", "1s")
    assert more["steps"] > found["steps"]


def test_baselines_are_named_on_stderr_and_computed_for_the_first_seed_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    words = searching(3, baselines="['ladder', 'beam']", baseline_share=1000)
    first = call(*words, "--runs-dir", tmp_path / "runs")
    words[words.index("--seed") + 1] = 2
    second = call(*words, "--runs-dir", tmp_path / "runs")
    assert "\nbaseline ladder\n" in first.stderr and "\nbaseline beam\n" in first.stderr
    assert "baseline beam: as computed before" in second.stderr
    one, other = (Run(path).result for path in sorted((tmp_path / "runs").iterdir()))
    assert one is not None and other is not None
    assert one["baselines"] == other["baselines"]


def test_short_searches_cut_baselines_short_and_say_so(tmp_path: Path) -> None:
    words = searching(3, baselines="['beam']", baseline_share=0.1)
    (row,) = answer(*words, "--runs-dir", tmp_path)["baselines"]
    assert "cut short" in row["note"]


def test_shortening_is_said_and_never_costs_more(tmp_path: Path) -> None:
    found = answer(*searching(40, post_process="true"), "--runs-dir", tmp_path)
    assert found["post_processed"] is True
    assert found["best"]["gates"] <= found["best_of_search"]["gates"]
    assert any("post-processed" in note for note in found["notes"])


FOLLOWED = {  # from a lower bound: H2 to its end, LiH for a few episodes that try and remove gates
    "H2": (300, {"curriculum.threshold_ha": 3.0, "curriculum.every": 60}, 1.6e-3),
    "LiH": (
        30,
        {
            "curriculum.threshold_ha": 4.0,
            "curriculum.every": 10,
            "environment.look_ahead": "true",
            "environment.rotations": "['RY']",
            "environment.halting": "shrinking",
            "shorten": "true",
            "post_process": "true",
        },
        37e-3,  # below Hartree-Fock
    ),
}


@pytest.mark.parametrize("molecule", FOLLOWED)
def test_the_exact_energy_is_not_read_before_the_verdict(tmp_path: Path, molecule: str) -> None:
    """A search from the lower bound runs while asking for the exact energy is an error.

    Its operator file says nothing of energies either.
    """
    steps, sets, reached_ha = FOLLOWED[molecule]
    path = tmp_path / "H.json"
    answer("vqe", "hamiltonian", "--molecule", molecule, "--out", path)
    terms = json.loads(path.read_text())
    path.write_text(json.dumps({key: terms[key] for key in ("n_qubits", "terms")}))
    blind = (
        "from toolkit.vqe import search\nfrom toolkit.vqe.operators import hamiltonian\n"
        "exact, finish = hamiltonian.Hamiltonian.ground_energy, search.Search.finish\n"
        "found = hamiltonian.exact_energy\n"
        "hidden = property(lambda self: (_ for _ in ()).throw(AssertionError('was read')))\n"
        "hamiltonian.Hamiltonian.ground_energy = hidden\n"
        "hamiltonian.exact_energy = hidden.fget\n"
        "def judged(self, run):\n"
        "    hamiltonian.Hamiltonian.ground_energy = exact\n"
        "    hamiltonian.exact_energy = found\n"
        "    exact.__set_name__(hamiltonian.Hamiltonian, 'ground_energy')\n"
        "    return finish(self, run)\n"
        "search.Search.finish = judged"
    )
    sets = {"environment.e_min": "lower-bound", "curriculum.kind": "moving", **sets}
    words = searching(steps, **sets, **{"curriculum.successes": 1})
    words[2:6] = ["--hamiltonian", path]
    process = spawn(*words, "--runs-dir", tmp_path, "--json", code=blind)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    found = json.loads(stdout)
    assert found["e_min_mode"] == "lower-bound"
    assert found["e_min_ha"] < found["exact_energy_ha"]
    assert found["best"]["error_ha"] < reached_ha


def test_impossible_searches_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    where = ("--runs-dir", tmp_path / "runs")
    wrong = {
        ("--molecule", "LiHH"): "LiH",
        ("--molecule", "LiH", "--active-orbitals-list", "1,2,99"): "99",
        ("--molecule", "LiH", "--charge", "1"): "odd",
        ("--set", "environment.coupling=lin"): "line",
        ("--set", "environment.coupling=0-9"): "9",
        ("--set", "agent.warmup=100000"): "warmup",
        ("--preset", "lih7"): "lih",
        ("--molecule", "H2", "--basis", "sto-4g"): "sto-3g",
    }
    for words, says in wrong.items():
        refused(2, "vqe", "search", *words, *where, says=(says,))
    bad = tmp_path / "bad.xyz"
    bad.write_text("2\nno\nXy 0 0 0\nH 0 0 1\n")
    refused(3, "vqe", "search", "--geometry", bad, *where, says=("bad.xyz", "Xy"))
    (tmp_path / "H.json").write_text('{"n_qubits": 1, "terms": [{"pauli": "Y", "coefficient": 1}]}')
    refused(3, "vqe", "search", "--hamiltonian", tmp_path / "H.json", *where)
    (tmp_path / "Z.json").write_text('{"n_qubits": 1, "terms": [{"pauli": "Z", "coefficient": 1}]}')
    start = ("--set", "environment.start=hartree-fock")
    wanted = ("vqe", "search", "--hamiltonian", tmp_path / "Z.json", *start, *where)
    refused(2, *wanted, says=("no Hartree-Fock state",))
    assert not (tmp_path / "runs").exists()


def test_a_run_without_a_circuit_says_how_to_go_on(finished: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / finished.name))
    (copy / "best.json").unlink()
    refused(4, "vqe", "verify", copy, says=("runs resume",))
    (copy / "best.json").write_text('{"n_qubits": 2, "gates": [{"name": "RQ", "wires": [0]}]}')
    refused(3, "vqe", "draw", copy, says=("RQ", "best.json"))


def test_sigterm_saves_and_says_so(tmp_path: Path) -> None:
    process = spawn(*searching(10**6), "--runs-dir", tmp_path)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob("vqe-*/metrics.jsonl")):
        time.sleep(0.1)
    process.terminate()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 75, stderr
    assert "runs resume" in stderr
