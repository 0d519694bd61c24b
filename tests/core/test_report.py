"""The report page: escaped, self-contained, whole."""

import base64
from html.parser import HTMLParser

import pytest

from toolkit.core import plots
from toolkit.core.errors import DataError
from toolkit.core.report import Report, Section, Table, combine, flatten, render, show, write
from toolkit.core.statistics import Interval

VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Collects tags and checks that they nest."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.open[-1] != "style":
            self.texts.append(" ".join(data.split()))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def figure(tmp_path):
    return plots.save(plots.lines_with_bands({"a": plots.Band([0, 1], [0, 1])}), tmp_path / "f.png")


@pytest.fixture
def full(figure):
    return Report(
        "ECG <beats>",
        "ec57",
        [
            Section(
                "Result",
                text="First paragraph.\n\nSecond & last.",
                headline={"accuracy": Interval(0.951, 0.93, 0.97, 0.95, 22), "beats": 49712},
                table=Table(["class", "n", "F1"], [["N", 44259, 0.98], ["Q", 7, None]], "by class"),
                figures=[(figure, 'a "quoted" caption')],
                notes=["a note"],
                warnings=["synthetic data"],
                settings={"seed": 3, "model": {"channels": [32, 64], "kernel": 5}},
                command="toolkit ecg train --seed 3",
            )
        ],
    )


def test_everything_is_on_the_page(full):
    page = Page(render(full))
    expected = [
        "ECG <beats>", "ec57", "Result", "First paragraph.", "Second & last.", "0.951",
        "0.93 to 0.97, n = 22", "49,712", "by class", "44,259", "0.980", "–", "a note",
        "synthetic data", "model.channels", "32, 64", "toolkit ecg train --seed 3",
    ]  # fmt: skip
    for text in expected:
        assert text in page.texts, text


def test_the_page_needs_nothing_else(full, figure):
    page = Page(render(full))
    (image,) = page.all("img")
    assert image["alt"] == 'a "quoted" caption'
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/png;base64" and base64.b64decode(data) == figure.read_bytes()
    assert not page.all("script") and not page.all("link")
    assert all(a["href"].startswith("#") for a in page.all("a"))
    assert "http:" not in render(full) and "https:" not in render(full)


def test_text_from_outside_is_escaped():
    evil = "<script>alert(1)</script>"
    section = Section(
        evil,
        evil,
        {evil: evil},
        Table([evil], [[evil]], evil),
        (),
        [evil],
        [evil],
        {evil: evil},
        evil,
    )
    page = Page(render(Report(evil, evil, [section])))
    assert not page.all("script")
    assert page.texts.count(evil) >= 10


def test_empty_report_is_a_page():
    assert "Nothing yet" in Page(render(Report("Nothing yet", sections=[Section("Empty")]))).texts


def test_table_without_rows():
    page = Page(render(Report("t", sections=[Section("s", table=Table(["a", "b"], []))])))
    assert "a" in page.texts


def test_combined_reports_are_chapters_with_links(full):
    page = Page(render(combine([full, Report("HSI")], "demo")))
    targets = [a["href"][1:] for a in page.all("a")]
    anchors = [a["id"] for _, a in page.tags if "id" in a]
    assert len(anchors) == len(set(anchors))
    assert targets == ["chapter-1", "chapter-2"] and set(targets) <= set(anchors)


def test_write_is_whole_and_reproducible(full, tmp_path):
    path = write(full, tmp_path / "run" / "report.html")
    assert path.read_text("utf-8") == render(full)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_missing_figure_is_named_and_nothing_written(tmp_path):
    report = Report("r", sections=[Section("s", figures=[(tmp_path / "no.png", "")])])
    with pytest.raises(DataError) as error:
        write(report, tmp_path / "report.html")
    assert "no.png" in str(error.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value, text",
    [
        (None, "–"), (float("nan"), "–"), (float("inf"), "inf"), (True, "yes"), (0.12346, "0.1235"),
        (1e-5, "1e-05"), (2.0, "2"), (2024, "2024"), (123456, "123,456"), ([1, 2.5], "1, 2.5"),
        ({}, ""), ("text", "text"),
    ],
)  # fmt: skip
def test_show(value, text):
    assert show(value) == text


def test_columns_share_their_decimals():
    table = Table(
        ["name", "se", "return", "lr", "energy"],
        [["a", 0.98, 1234.56, 1e-5, "-7.882403"], ["b", 1, None, 3e-4, "−7.9"]],
    )
    first, second = table.cells()
    assert [text for text, _ in first] == ["a", "0.980", "1,234.6", "1e-05", "-7.882403"]
    assert [text for text, _ in second] == ["b", "1.000", "–", "0.0003", "−7.9"]
    assert [number for _, number in first] == [False, True, True, True, True]


def test_flatten():
    nested = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f": {}}
    assert dict(flatten(nested)) == {"a": 1, "b.c": 2, "b.d.e": 3, "f": {}}
