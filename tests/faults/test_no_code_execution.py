"""Nothing in the source could run code that a file brings along (the files themselves are tried
in ``core/test_checkpoint.py``)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [*ROOT.glob("src/**/*.py"), *ROOT.glob("data_scripts/**/*.py")]
FORBIDDEN = {
    *("eval", "exec", "compile", "__import__"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads"),
    *("dill.load", "dill.loads", "joblib.load", "shelve.open", "cloudpickle.load"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "pandas.read_pickle", "pd.read_pickle"),
    *("torch.hub.load", "os.system", "os.popen"),
}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def reasons(tree):
    """Why each offending node of ``tree`` is refused."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
            yield from (f"import {name}" for name in names if name in FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
            FORBIDDEN_MODULES
        ):
            yield f"from {node.module} import"
        elif isinstance(node, ast.Call):
            yield from called(node)


def called(node):
    name = ast.unparse(node.func)
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if name in FORBIDDEN:
        yield name
    if name == "torch.load" and given.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if given.get("allow_pickle", "False") != "False":
        yield "allow_pickle"
    if given.get("shell", "False") != "False":
        yield "shell=True"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_loads_nothing_that_can_execute(path):
    assert list(reasons(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "line",
    [
        "eval('1')",
        "exec(text)",
        "import pickle",
        "from pickle import load",
        "pickle.load(f)",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=flag)",
        "yaml.load(f)",
    ],
)
def test_the_scan_finds(line):
    assert list(reasons(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["model.eval()", "torch.load(f, weights_only=True)", "np.load(f)", "re.compile('x')"]
)
def test_the_scan_lets_pass(line):
    assert not list(reasons(ast.parse(line)))
