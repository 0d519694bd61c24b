"""Jobs on a Ray cluster of this machine's own: as those of the local pool."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from toolkit.core.errors import ConfigError, RunError, UnavailableError
from toolkit.core.executor import Job
from toolkit.core.ray_pool import RayPool

SAVES = """
import pathlib, signal, sys, time
def leave(*_): sys.exit(75)
signal.signal(signal.SIGTERM, leave)
pathlib.Path(sys.argv[1]).write_text("up")
time.sleep(60)
"""


def job(folder, name, *words):
    return Job(name, [sys.executable, *words], folder / f"{name}.log")


def ray():
    return pytest.importorskip("ray", reason="extra ray is not installed")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnavailableError) as caught:
        RayPool(1)
    assert "toolkit[ray]" in caught.value.hint


def test_jobs_run_with_their_logs_and_codes(tmp_path, monkeypatch):
    ray()
    monkeypatch.chdir(tmp_path)
    says = "import os, sys; print(os.getcwd(), os.environ['OMP_NUM_THREADS'], file=sys.stderr)"
    jobs = [job(tmp_path, "a", "-c", says), job(tmp_path, "b", "-c", "raise SystemExit(3)")]
    told = []
    RayPool(2).run(jobs, lambda one: told.append(one.name), lambda *end: told.append(end))
    assert {("a", 0), ("b", 3)} == {(one[0].name, one[1]) for one in told if len(one) == 2}
    assert told.index("a") < told.index((jobs[0], 0))
    assert (tmp_path / "a.log").read_text().split() == [str(tmp_path), "1"]


def test_a_stop_lets_running_jobs_save_and_starts_no_more(tmp_path):
    ray()
    sign, told = tmp_path / "sign", []
    jobs = [job(tmp_path, name, "-c", SAVES, str(sign)) for name in "ab"]
    pool = RayPool(1)

    def when_up() -> None:
        while not sign.exists():
            time.sleep(0.05)
        pool.stop()

    threading.Thread(target=when_up, daemon=True).start()
    pool.run(jobs, lambda one: None, lambda one, code: told.append(code))
    assert told == [75]


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    ray()
    with pytest.raises(RunError, match="could not be started"):
        RayPool(1).run([job(tmp_path / "none", "a", "-c", "")], lambda one: None, lambda *end: None)


def test_where_one_cannot_be_started_those_that_run_save(tmp_path):
    ray()
    sign, told = tmp_path / "sign", []
    runs = job(tmp_path, "a", "-c", SAVES, str(sign))
    waits = job(tmp_path, "b", "-c", f"import os\nwhile not os.path.exists({str(sign)!r}): pass")
    never = job(tmp_path / "none", "c", "-c", "")  # its turn comes when a is up
    with pytest.raises(RunError, match="c could not be started"):
        RayPool(2).run([runs, waits, never], lambda _: None, lambda _, code: told.append(code))
    assert told == [0, 75]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "auto"])
def test_no_cluster_is_a_wrong_address(address):
    ray()
    with pytest.raises(ConfigError, match=f"no Ray cluster at {address}") as caught:
        RayPool(1, address)
    assert "ray start --head" in caught.value.hint
