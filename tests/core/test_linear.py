from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from toolkit.core import linear as linear_module
from toolkit.core.linear import Linear, linear

PREFERRED = linear_module.is_onednn_faster
SHAPES = [
    (300, 128, 160),
    (4, 80, 128, 160),
    (2, 3, 5),
    (256, 23, 256),
    (1024, 256, 6),
    (256, 256, 1),
]


@pytest.fixture(params=[True, False], ids=["oneDNN", "torch"], autouse=True)
def library(request, monkeypatch):
    """Each test with both, whichever this machine prefers."""
    if request.param and linear_module._ONEDNN is None:
        pytest.skip("this torch was built without oneDNN")
    monkeypatch.setattr(linear_module, "is_onednn_faster", lambda: request.param)


def parts(*shape: int):
    torch.manual_seed(0)
    *rows, n_in, n_out = shape
    tensors = torch.randn(*rows, n_in), torch.randn(n_out, n_in), torch.randn(n_out)
    return tuple(tensor.requires_grad_() for tensor in tensors)


@pytest.mark.parametrize("shape", SHAPES)
def test_products_and_their_gradients_are_torchs(shape):
    own, torchs = parts(*shape), parts(*shape)
    out, expected = linear(*own), F.linear(*torchs)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)
    gradient = torch.randn_like(out)
    out.backward(gradient)
    expected.backward(gradient)
    for mine, theirs in zip(own, torchs):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=2e-3)


def test_gradients_that_nobody_wants_are_not_made():
    x, weight, bias = parts(300, 128, 160)
    linear(x, weight.detach(), bias.detach()).sum().backward()
    assert x.grad is not None and weight.grad is None and bias.grad is None


def test_weights_may_be_transposed_and_rows_of_a_larger_tensor():
    _, weight, bias = parts(300, 128, 160)
    columns = weight.detach().T.contiguous()
    parted = torch.randn(2, 300, 256)[1, :, :128]
    torch.testing.assert_close(
        linear(parted, columns.T, bias), F.linear(parted, weight, bias), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_kinds_of_numbers_are_left_to_torch(dtype):
    x, weight, bias = (part.detach().to(dtype) for part in parts(300, 128, 160))
    assert linear(x, weight, bias).equal(F.linear(x, weight, bias))


@pytest.mark.parametrize(
    ("processor", "faster"),
    [
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 26\nflags\t\t: avx2 avx512f", True),
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 25\nflags\t\t: avx2 avx512f", False),
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 26\nflags\t\t: avx2", False),
        ("vendor_id\t: GenuineIntel\ncpu family\t: 6\nflags\t\t: avx512f", False),
        ("Processor\t: ARMv8", False),
    ],
)
def test_which_processors_prefer_onednn(monkeypatch, processor, faster):
    monkeypatch.setattr(linear_module, "_ONEDNN", object())
    monkeypatch.setattr(linear_module.Path, "read_text", lambda *_: processor)
    assert PREFERRED.__wrapped__() is faster


@pytest.fixture
def medium():
    """float32 products may be less exact, as ``rl``'s products=bfloat16 asks for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("known", [True, False])
def test_large_products_are_of_bfloat16_where_that_is_allowed_and_known(monkeypatch, medium, known):
    monkeypatch.setattr(linear_module, "knows_bfloat16", lambda: known)
    own, exact = parts(300, 128, 160), parts(300, 128, 160)
    out, expected = linear(*own), F.linear(*exact)
    assert out.dtype == torch.float32
    assert out.equal(out.bfloat16().float()) is known
    torch.testing.assert_close(out, expected, rtol=0.02, atol=0.3)
    out.square().sum().backward()
    expected.square().sum().backward()
    for mine, theirs in zip(own, exact):
        assert mine.grad.dtype == torch.float32
        assert F.cosine_similarity(mine.grad.flatten(), theirs.grad.flatten(), 0) > 0.999


@pytest.mark.parametrize(
    ("processor", "known"),
    [
        ("flags\t\t: avx2 avx512f avx512_bf16", True),
        ("flags\t\t: avx2 avx512f amx_bf16", True),
        ("flags\t\t: avx2 avx512f", False),
    ],
)
def test_which_processors_know_bfloat16(monkeypatch, processor, known):
    monkeypatch.setattr(linear_module.Path, "read_text", lambda *_: processor)
    assert linear_module.knows_bfloat16.__wrapped__() is known


def test_the_layer_has_torchs_weights_by_torchs_names():
    torch.manual_seed(0)
    own = Linear(128, 160)
    torch.manual_seed(0)
    torchs = nn.Linear(128, 160)
    own.load_state_dict(torchs.state_dict())
    x = torch.randn(300, 128)
    torch.testing.assert_close(own(x), torchs(x), rtol=1e-4, atol=1e-4)
