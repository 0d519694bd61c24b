"""The page of a run: which numbers are shown large, and what becomes of rows."""

from __future__ import annotations

import pytest

from toolkit.core.config import RunConfig
from toolkit.core.report import render
from toolkit.core.run import Run
from toolkit.core.run_report import make_report

SCORES = {"accuracy": 0.9, "trained_s": 3.0, "beats": 7, "f1": 0.8, "kappa": None}


@pytest.fixture
def report_of(tmp_path):
    """``report_of(result)``: the report of a run that gave it."""

    def make(result):
        run = Run.create(tmp_path, "ecg", "train", RunConfig())
        run.write_result(result)
        return make_report(run)

    return make


def test_first_scores_are_shown_large_unless_the_result_names_others(report_of):
    first = report_of(SCORES).sections[0]
    assert first.headline == {"accuracy": 0.9, "f1": 0.8}
    named = {"headline": ["beats", "best.depth", "kappa", "gone"], "best": {"depth": 4}}
    assert report_of({**SCORES, **named}).sections[0].headline == {"beats": 7, "best.depth": 4}


def test_rows_of_a_list_keep_their_columns_even_where_they_begin_alike(report_of):
    rows = [{"depth": 4, "error_ha": 1.23e-3}, {"depth": 4, "error_ha": -1e-13, "cnot": 3}]
    (table,) = [one.table for one in report_of({"front": rows}).sections if one.title == "front"]
    assert table.header == ["depth", "error_ha", "cnot"]
    assert table.rows == [[4, "0.001230000", None], [4, "0.000000000", 3]]


def test_rows_of_a_mapping_are_named(report_of):
    groups = {"classes": {"N": {"se": 0.9}, "V": {"se": 0.8}}, "best": {"energy_ha": -7.5}}
    report = report_of(groups)
    tables = {one.title: one.table for one in report.sections if one.table}
    assert tables["classes"].header == ["", "se"]
    assert tables["classes"].rows == [["N", 0.9], ["V", 0.8]]
    assert tables["Result"].rows == [["best", "-7.500000000"]]
    assert "classes" in render(report)


def test_rows_may_have_groups_of_columns(report_of):
    near, whole = {"rmse_mv": 0.1}, {"rmse_mv": 0.2}
    rows = {"network": {"whole": whole, "near_r": near}, "spline": {"whole": whole, "near_r": None}}
    (table,) = [
        o.table for o in report_of({"predictors": rows}).sections if o.title == "predictors"
    ]
    assert table.header == ["", "whole.rmse_mv", "near_r.rmse_mv", "near_r"]
    assert table.rows[0] == ["network", 0.2, 0.1, None]


def test_what_is_scored_apart_gets_a_table_of_its_own(report_of):
    apart = {"without_202": {"accuracy": 0.9, "veb": {"se": 0.8}}, "ec57": {}, "qrs": {"se": 1.0}}
    report = report_of(apart)
    (table,) = [one.table for one in report.sections if one.title == "apart"]
    assert (table.header, table.rows) == (["", "accuracy", "veb.se"], [["without 202", 0.9, 0.8]])
    assert [row[0] for row in report.sections[0].table.rows] == ["qrs"]
