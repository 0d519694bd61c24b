"""Who may know whom; what is imported when; which calls could execute what they load."""

import ast
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.cli.main import COMMANDS

SOURCE = Path(__file__).parents[1] / "src" / "toolkit"
APPLICATIONS = {"ecg", "hsi", "rl", "vqe"}
OPTIONAL = ("ray", "tensorboard", "onnx", "onnxscript", "onnxruntime", "neurokit2")
MAY_KNOW = {
    "": {""},
    "core": {"", "core"},
    "data": {"", "data", "core.errors"},
    **{app: {"", app, "core", "data"} for app in APPLICATIONS},
    "cli": {"", "cli", "core", "data", *APPLICATIONS},
}


def modules():
    return sorted(SOURCE.rglob("*.py"))


def dotted(path):
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """Every module that ``path`` imports anywhere, in full."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name):
    """The top-level folder of a module below ``toolkit``; empty for its own files."""
    parts = name.split(".")[1:]
    return parts[0] if parts and (SOURCE / parts[0]).is_dir() else ""


def allowed(imported, known):
    if room(imported) in known:
        return True
    return any("." in one and f"{imported}.".startswith(f"toolkit.{one}.") for one in known)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_run_downwards_only(path):
    name = dotted(path)
    if name == "toolkit.__main__":
        return
    assert room(name) in MAY_KNOW, f"{name} lives in no known room"
    wrong = [
        one
        for one in imports(path)
        if one.split(".")[0] == "toolkit" and not allowed(one, MAY_KNOW[room(name)])
    ]
    assert not wrong, f"{name} must not know {wrong}"


def test_no_modules_import_each_other():
    files = {dotted(path): path for path in modules()}
    known = {
        name: {one if one in files else one.rpartition(".")[0] for one in imports(path)}
        for name, path in files.items()
    }
    graphlib.TopologicalSorter(
        {name: (found & files.keys()) - {name} for name, found in known.items()}
    ).prepare()  # CycleError names the circle


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_only_the_command_line_knows_the_terminal(path):
    if room(dotted(path)) == "cli":
        return
    terminal = {one for one in imports(path) if one.split(".")[0] in {"click", "rich"}}
    assert not terminal


def in_a_fresh_interpreter(code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


IMPORT_ALL = """
import importlib, sys
refused = set(sys.argv[1].split(","))
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def test_every_module_imports_without_optional_dependencies():
    names = [dotted(path) for path in modules()]
    in_a_fresh_interpreter(IMPORT_ALL, ",".join(OPTIONAL), *names)


HELP = """
import json, sys
import click
from toolkit.cli.main import cli

def show(command, words):
    try:
        command.main([*words, "--help"], prog_name="toolkit")
    except SystemExit as leaving:
        assert not leaving.code, words

def paths(command, words):
    yield words
    if isinstance(command, click.Group) and command is not cli:
        for name, inner in command.commands.items():
            yield from paths(inner, [*words, name])

top = sys.argv[1:]
start = cli.get_command(None, top[0]) if top else cli
shown = list(paths(start, top))
for words in shown:
    show(cli, words)
heavy = {"torch", "scipy", "sklearn", "wfdb", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=lambda w: " ".join(w))
def test_help_of_every_command_imports_nothing_heavy(words):
    shown = in_a_fresh_interpreter(HELP, *words)
    assert "Usage: toolkit" in shown


def test_the_help_of_the_toolkit_lists_every_command():
    shown = in_a_fresh_interpreter(HELP)
    assert all(f"  {name} " in shown for name in COMMANDS)


def test_listing_commands_imports_none_of_them():
    code = (
        "import sys, json; from toolkit.cli.main import cli; print(json.dumps(list(sys.modules)))"
    )
    loaded = json.loads(in_a_fresh_interpreter(code))
    assert not [name for name in loaded if name.split(".")[0] in {"torch", "numpy", "pydantic"}]
