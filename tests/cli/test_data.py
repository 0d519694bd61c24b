from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from toolkit.cli.main import cli
from toolkit.data import datasets, store
from toolkit.data.datasets import Dataset, File


def run(*arguments: object):
    return CliRunner().invoke(cli, ["data", *map(str, arguments)])


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """A data folder with an intact data set called ``toy``."""
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "a.dat").write_bytes(b"content")
    digest = store.sha256_of(tmp_path / "toy" / "a.dat")
    files = {"a.dat": File("a.dat", "http://127.0.0.1:9/a.dat", digest, 7)}
    toy = Dataset("toy", "A toy", "hsi", "toy", "page", "CC0", ("Anon.",), "", files)
    for module in (datasets, store):
        monkeypatch.setattr(module, "registry", lambda: {"toy": toy})
    monkeypatch.delenv("TOOLKIT_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-cache"))
    return tmp_path


def test_help_imports_nothing_heavy():
    heavy = "pooch requests numpy wfdb torch rich tomllib"
    code = (
        "import sys; from toolkit.cli.main import cli\n"
        "try: cli.main(['data', '--help'])\n"
        f"finally: sys.stderr.write(' '.join(set('{heavy}'.split()) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fetch" in done.stdout and done.stderr == ""


@pytest.mark.parametrize(
    "command",
    [
        "",
        "list",
        "info",
        "path",
        "verify",
        "fetch",
        "synthesize",
        "synthesize ecg",
        "synthesize hsi",
    ],
)
def test_every_help_has_examples(command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0 and f"toolkit data {command}".strip() in result.stdout
    assert "Examples:" in result.stdout


def test_list_and_info(toy):
    rows = json.loads(run("list", "--json", "--data-dir", toy).stdout)["datasets"]
    assert [(row["name"], row["path"]) for row in rows] == [("toy", str(toy / "toy"))]
    assert "A toy" in run("list").stdout
    result = json.loads(run("info", "toy", "--json").stdout)
    assert result["licence"] == "CC0" and result["citation"] == ["Anon."]
    assert result["path"] is None and result["data_hash"] == store.data_hash("toy")


def test_path(toy):
    assert run("path", "toy", "--data-dir", toy).stdout == f"{toy / 'toy'}\n"


@pytest.mark.parametrize("command", ["info", "path", "verify", "fetch"])
def test_an_unknown_name_exits_2(toy, command):
    result = run(command, "tyo")
    assert result.exit_code == 2 and "did you mean 'toy'" in result.stderr


@pytest.mark.parametrize("arguments", [["path", "toy"], ["verify", "toy", "--json"], ["verify"]])
def test_a_missing_data_set_exits_3(toy, arguments):
    result = run(*arguments, "--data-dir", toy / "elsewhere")
    assert result.exit_code == 3 and result.stdout == ""
    assert str(toy / "elsewhere") in result.stderr and "toolkit data fetch" in result.stderr


@pytest.mark.parametrize("name", [["toy"], []])
def test_verify_intact(toy, name):
    result = run("verify", *name, "--data-dir", toy, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0 and report["ok"] is True and report["files"] == 1
    assert "intact" in run("verify", *name, "--data-dir", toy).stdout


def test_verify_damaged_exits_1_and_names_the_file(toy):
    (toy / "toy" / "a.dat").write_bytes(b"Content")
    result = run("verify", "toy", "--data-dir", toy, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1 and "a.dat" in result.stderr
    assert report["ok"] is False and [d["file"] for d in report["damaged"]] == ["a.dat"]
    assert "a.dat" in run("verify", "--data-dir", toy).stdout


def test_fetch_from_a_folder(toy):
    arguments = ["fetch", "toy", "--from", toy, "--to", toy / "new", "--json"]
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["datasets"][0]["path"] == str(toy / "new" / "toy")
    assert run("verify", "toy", "--data-dir", toy / "new").exit_code == 0
    assert result.stderr == ""


def test_a_failed_fetch_exits_3(toy):
    (toy / "toy" / "a.dat").write_bytes(b"Content")
    result = run("fetch", "toy", "--from", toy, "--to", toy / "new")
    assert result.exit_code == 3 and "a.dat" in result.stderr and "--from" in result.stderr
    assert not list((toy / "new" / "toy").glob("a.dat*"))


def test_synthesize(tmp_path):
    pytest.importorskip("toolkit.ecg.synthetic")
    result = run("synthesize", "ecg", tmp_path / "out", "--records", 2, "--minutes", 0.5, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["records"] == 2
    assert len(list((tmp_path / "out").rglob("*.hea"))) == 2


@pytest.mark.real_data
def test_one_flipped_byte_in_the_real_records(real_data, tmp_path):
    shutil.copytree(real_data / "mitdb", tmp_path / "mitdb", ignore=lambda *_: ["fragments17"])
    assert json.loads(run("verify", "mitdb", "--data-dir", tmp_path, "--json").stdout)["ok"]
    with (tmp_path / "mitdb" / "207.atr").open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)[0]
        file.seek(1000)
        file.write(bytes([byte ^ 1]))
    result = run("verify", "mitdb", "--data-dir", tmp_path)
    assert result.exit_code == 1 and "207.atr" in result.stderr
