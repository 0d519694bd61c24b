"""``toolkit doctor``: what it finds, what it calls a failure, and that it leaves nothing behind."""

from __future__ import annotations

import importlib.metadata
import json
import re

import pytest
import torch
from click.testing import CliRunner

from toolkit.cli.main import cli
from toolkit.core import doctor as core
from toolkit.core.errors import DataError


@pytest.fixture(autouse=True)
def a_known_place(monkeypatch, tmp_path, tmp_path_factory):
    monkeypatch.delenv("TOOLKIT_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))  # matplotlib's fonts
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


def doctor(*arguments: object):
    return CliRunner().invoke(cli, ["doctor", *map(str, arguments)])


def checks(ended) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in json.loads(ended.stdout)["checks"]}


def test_a_sound_machine_passes(tmp_path):
    ended = doctor("--runs-dir", tmp_path / "runs", "--json")
    assert ended.exit_code == 0, ended.output
    found = checks(ended)
    assert json.loads(ended.stdout)["ok"]
    assert {"versions", "threads", "cuda", "runs", "cache", "step of ecg"} <= found.keys()
    assert found["step of ecg"]["state"] == "ok"
    assert torch.__version__ in found["versions"]["found"]
    assert list(tmp_path.iterdir()) == []


def test_missing_data_and_extras_are_no_failure_and_come_with_a_command(monkeypatch, tmp_path):
    monkeypatch.setattr(core, "_installed", lambda package: package != "ray")
    found = checks(doctor("--runs-dir", tmp_path, "--data-dir", tmp_path, "--json"))
    assert found["data mitdb"]["state"] == "warn"
    assert "toolkit data fetch mitdb" in found["data mitdb"]["hint"]
    assert found["extra ray"]["state"] == "ok"
    assert "'.[ray]'" in found["extra ray"]["hint"]
    assert found["extra tensorboard"]["found"] == "installed"


def test_versions_are_asked_of_what_a_plain_install_brings():
    wanted = importlib.metadata.requires("toolkit") or []
    plain = {re.match(r"[\w.-]+", one)[0] for one in wanted if "extra ==" not in one}
    assert set(core.PACKAGES) <= plain


def test_the_table_says_the_same(tmp_path):
    ended = doctor("--runs-dir", tmp_path)
    assert ended.exit_code == 0
    assert "writable" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_a_runs_folder_that_cannot_be_written_fails(tmp_path):
    (tmp_path / "file").touch()
    ended = doctor("--runs-dir", tmp_path / "file" / "runs", "--json")
    assert ended.exit_code == 1
    runs = checks(ended)["runs"]
    assert runs["state"] == "fail"
    assert str(tmp_path / "file") in runs["found"]
    assert runs["hint"]
    assert "checks failed: runs" in ended.stderr


def test_a_cache_that_cannot_be_written_only_warns(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "file"))
    ended = doctor("--runs-dir", tmp_path, "--json")
    assert ended.exit_code == 0
    assert checks(ended)["cache"]["state"] == "warn"


def test_more_threads_than_cores_is_told(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 10_000)
    assert core.threads().state == "warn"


@pytest.mark.parametrize(
    "error", [DataError("gone", where="here", hint="try"), ZeroDivisionError()]
)
def test_a_check_that_breaks_is_a_failed_check(error):
    def look() -> core.Check:
        raise error

    check = core.guarded("thing", look)
    assert (check.name, check.state) == ("thing", "fail")
    assert check.found.startswith(("gone (here)", "ZeroDivisionError"))
