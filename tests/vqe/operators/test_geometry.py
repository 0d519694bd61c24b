"""The strict .xyz reader."""

from __future__ import annotations

import pytest

from toolkit.core.errors import DataError
from toolkit.vqe.operators.geometry import SYMBOLS, Geometry, read_xyz

WATER = "3\nwater\nO 0.0 0.0 0.0\nH 0.0 0.757 0.586\n  H\t0.0 -7.57e-1 0.586\n"


@pytest.fixture
def xyz(tmp_path):
    def write(text):
        path = tmp_path / "molecule.xyz"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("text", [WATER, WATER + "\n \n", WATER.replace("water", "")])
def test_a_geometry_is_read(xyz, text):
    found = read_xyz(xyz(text))
    assert found.symbols == ("O", "H", "H")
    assert found.positions_a == ((0, 0, 0), (0, 0.757, 0.586), (0, -0.757, 0.586))
    assert (found.formula, found.nuclear_charge) == ("OH2", 10)
    assert found.to_json()[1] == ["H", 0.0, 0.757, 0.586]


def test_nuclear_charges_follow_the_periodic_table():
    assert [Geometry((s,), ((0, 0, 0),)).nuclear_charge for s in SYMBOLS] == list(range(1, 11))


def test_scaling_scales_every_distance():
    scaled = Geometry(("Li", "H"), ((0.0, 0.0, 0.5), (0.0, 1.0, 2.0))).scaled(0.5)
    assert scaled.positions_a == ((0, 0, 0.25), (0, 0.5, 1.0))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "no number of atoms"),
        ("three\n\nH 0 0 0\n", 1, "'three'"),
        ("0\n\n", 1, "'0'"),
        ("-1\n\n", 1, "'-1'"),
        ("9" * 5000 + "\n\n", 1, "no number of atoms"),
        ("²\n\nH 0 0 0\n", 1, "no number of atoms"),
        ("2\n\nH 0 0 0\n", 3, "2 atoms announced, 1 rows"),
        ("1\n", 1, "1 atoms announced, 0 rows"),
        ("1\n\nH 0 0 0\nH 0 0 1\n", 4, "announced, more"),
        ("1\n\nH 0 0\n", 3, "'H 0 0'"),
        ("1\n\nH 0 0 0 0\n", 3, "'H 0 0 0 0'"),
        ("2\n\nH 0 0 0\nH 0 0 nan\n", 4, "0 0 nan"),
        ("1\n\nH 0 inf 0\n", 3, "0 inf 0"),
        ("1\n\nH 0 one 0\n", 3, "0 one 0"),
        ("2\n\nLi 0 0 0\nli 0 0 2\n", 4, "did you mean 'Li'"),
        ("1\n\nNa 0 0 0\n", 3, "hold H to Ne"),
        ("2\n\nLi 0 0 0\nH 0 0 0.05\n", 4, "atoms 1 and 2 coincide"),
        ("3\n\nH 0 0 0\nH 0 0 1\nH 0 0 1\n", 5, "atoms 2 and 3 coincide"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(xyz, text, line, says):
    path = xyz(text)
    with pytest.raises(DataError) as caught:
        read_xyz(path)
    assert caught.value.where == f"{path}, line {line}"
    assert says in str(caught.value)


def test_files_that_are_no_text_are_refused(xyz, tmp_path):
    for path in (xyz(b"\xff\xfe\x00"), tmp_path / "missing.xyz", tmp_path):
        with pytest.raises(DataError, match="cannot read a geometry"):
            read_xyz(path)
    with pytest.raises(DataError, match="too many"):
        read_xyz(xyz("1\n" + "x" * 2**20))
