"""Progress in plain lines: no control characters, and no end when its reader leaves."""

from __future__ import annotations

import io

import pytest

from toolkit.cli.progress import Lines


def test_lines_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.start(0, 10)
    lines.update(1, {"loss": 0.5})
    lines.stop()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "step 0 of 10\nstep 1 of 10  loss 0.5\n"


def test_a_closed_log_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stderr", Gone())
    Lines().note("nobody reads this")
