"""Machine code of kernels: kept by what all of them are, done without where nothing can be kept."""

from __future__ import annotations

from toolkit.vqe import kernels

SOURCE = "@compiled\ndef f(): ...\n"


def test_any_kernels_change_is_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "_PACKAGE", tmp_path)
    (tmp_path / "one.py").write_text(SOURCE)
    (tmp_path / "two.py").write_text(SOURCE)
    (tmp_path / "other.py").write_text("")
    folder = kernels._folder.__wrapped__
    first = folder()
    assert first.startswith(str(tmp_path))
    (tmp_path / "other.py").write_text("changed = True")
    assert folder() == first
    (tmp_path / "two.py").write_text(SOURCE.replace("f", "g"))
    assert folder() != first


def test_where_nothing_can_be_written_kernels_are_compiled_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(kernels, "_PACKAGE", tmp_path / "file")
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "file"))
    assert kernels._folder.__wrapped__() == ""
    monkeypatch.setattr(kernels, "_folder", lambda: "")
    assert kernels.compiled(_double)(2) == 4


def _double(x):
    return 2 * x
