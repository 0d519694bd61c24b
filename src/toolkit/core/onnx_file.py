"""Networks as ONNX files, for runtimes that know nothing of torch; checked before they are kept."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.core.errors import CheckFailedError, UnavailableError
from toolkit.core.files import write_atomic

_TOLERANCE = 1e-3  # of logits, or in units of the output; other kernels add in another order


def write(
    path: Path,
    model: nn.Module,
    examples: Sequence[Tensor | tuple[Tensor, ...]],
    dynamic: Sequence[int],
    facts: Mapping[str, str],
    inputs: Sequence[str] = ("input",),
    unit: Tensor | float = 1.0,
) -> float:
    """Write ``model`` as ``path`` and return the largest difference that onnxruntime shows.

    Args:
        path: of the file.
        model: in evaluation mode, of one output.
        examples: inputs of several sizes; the first one is traced, all are compared.
        dynamic: axes of each input whose length may vary.
        facts: kept as the file's metadata: class names, bands.
        inputs: their names.
        unit: in which outputs are compared, broadcast to them.

    Raises:
        UnavailableError: the packages of extra ``onnx`` are missing.
        CheckFailedError: onnxruntime gives something else; nothing is written.
    """
    runtime = _runtime()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of operators that are not used here
    given = [one if isinstance(one, tuple) else (one,) for one in examples]
    axes = tuple(dict.fromkeys(dynamic, torch.export.Dim.AUTO) for _ in inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program: Any = torch.onnx.export(
            model.eval(), given[0], dynamo=True, dynamic_shapes=axes,
            input_names=list(inputs), output_names=["output"], verbose=False,
        )  # fmt: skip
    proto = program.model_proto
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=value)
    content: bytes = proto.SerializeToString()
    differences = _differences(runtime.InferenceSession(content), model, given, inputs)
    off = max(float((one / unit).max()) for one in differences)
    worst = max(float(one.max()) for one in differences)
    if not off <= _TOLERANCE:
        what = f"the exported network differs from its source by {worst:.3g}"
        raise CheckFailedError(what, where=str(path), hint="nothing was written; please report it")
    write_atomic(path, content)
    return worst


@torch.no_grad()
def _differences(
    session: Any, model: nn.Module, examples: Sequence[tuple[Tensor, ...]], names: Sequence[str]
) -> list[Tensor]:
    """Of every output of every example, without sign."""
    fed = [{name: x.numpy() for name, x in zip(names, example)} for example in examples]
    found = [torch.as_tensor(session.run(None, one)[0]) for one in fed]
    return [(a - model(*example)).abs() for a, example in zip(found, examples)]


def _runtime() -> Any:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UnavailableError(
            f"{error.name} is not installed",
            where="export to ONNX",
            hint="pip install -c constraints.txt 'toolkit[onnx]'",
        ) from error
    return onnxruntime
