"""What packages log becomes lines on stderr, for as long as somebody watches."""

from __future__ import annotations

import logging

from toolkit.cli.notes import noted


def test_notes_of_a_package_are_lines_while_it_works(capsys):
    inner, other = logging.getLogger("toolkit.vqe.peers.beam"), logging.getLogger("toolkit.ecg")
    inner.info("before")
    with noted("toolkit.vqe"):
        inner.info("beam: %d gates", 3)
        inner.debug("too much")
        other.info("another package")
    inner.info("after")
    assert capsys.readouterr() == ("", "beam: 3 gates\n")
