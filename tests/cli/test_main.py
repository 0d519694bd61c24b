"""The entry point: suggestions, exit codes, and readers that leave."""

import json
import subprocess
import sys

import click
import pytest

from toolkit.cli import main as entry
from toolkit.cli.options import emit
from toolkit.core import errors


def run_with(monkeypatch, act, *words):
    """Exit code of ``toolkit data`` when that command does ``act``."""
    command = click.Command("data", callback=act)
    monkeypatch.setattr(entry.cli, "get_command", lambda ctx, name: command)
    with pytest.raises(SystemExit) as leaving:
        entry.cli.main(["data", *words], prog_name="toolkit")
    return leaving.value.code


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.CheckFailedError, 1),
        (errors.ConfigError, 2),
        (errors.DataError, 3),
        (errors.RunError, 4),
        (errors.UnavailableError, 5),
        (errors.DivergedError, 6),
        (errors.InterruptedRunError, 75),
        (errors.CancelledRunError, 130),
    ],
)
def test_an_error_is_three_lines_and_its_code(kind, code, monkeypatch, capsys):
    error = kind("what happened", where="the place", hint="the next step")
    assert run_with(monkeypatch, raising(error)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Error: what happened\n  where: the place\n  try:   the next step\n"


def test_a_bug_says_so_and_shows_its_traceback_when_asked(monkeypatch, capsys):
    monkeypatch.delenv("TOOLKIT_DEBUG", raising=False)
    assert run_with(monkeypatch, raising(ZeroDivisionError("x"))) == 70
    assert "Traceback" not in capsys.readouterr().err
    assert run_with(monkeypatch, raising(ZeroDivisionError("x")), "--debug") == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_130(monkeypatch):
    assert run_with(monkeypatch, raising(KeyboardInterrupt())) == 130


def test_success_is_0(monkeypatch):
    assert run_with(monkeypatch, lambda: None) == 0


def test_unknown_commands_and_options_suggest(capsys):
    for words, hint in ((["dta"], "did you mean 'data'?"), (["--hepl"], "--help")):
        with pytest.raises(SystemExit) as leaving:
            entry.cli.main(words, prog_name="toolkit")
        assert leaving.value.code == 2
        assert hint in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ecg", "hsi", "rl", "vqe", "data", "runs"])
def test_no_summary_of_a_command_is_cut_short(name, capsys):
    with pytest.raises(SystemExit):
        entry.cli.main([name, "--help"], prog_name="toolkit")
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert commands
    assert "..." not in commands


@pytest.mark.parametrize("words", [["--help"], ["runs", "--help"], ["runs", "list"]])
def test_a_reader_that_leaves_is_no_failure(words, tmp_path):
    command = [sys.executable, "-m", "toolkit", *words]
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, **told) as child:
        child.stdout.close()
        said = child.stderr.read()
        assert (child.wait(), said) == (0, b"")


def test_json_on_stdout_has_no_numbers_that_json_has_not(capsys):
    emit({"score": float("nan"), "rows": [{"low": float("inf")}]}, as_json=True)
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == {"score": None, "rows": [{"low": None}]}
