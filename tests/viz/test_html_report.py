"""The HTML report as text; what a browser makes of it is another file."""

import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from fcn_jax.viz import embedded, html_report
from tests.support import report_pages

_EMPTY = {"meta", "link", "input", "img", "rect", "line", "circle", "polyline"}


class Checked(HTMLParser):
    """Elements are closed in their order; ids are said once; nothing is fetched."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.urls, self.text = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.urls += [found[key] for key in ("src", "href") if key in found]
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in _EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data.strip())


@pytest.fixture(scope="module", params=(("first",), ("first", "second")))
def page(request):
    return report_pages.page(request.param)


def test_it_is_whole_and_needs_nothing_else(page):
    found = Checked(html_report.render(page))
    assert found.open == []
    assert len(set(found.ids)) == len(found.ids)
    assert found.urls
    for url in found.urls:
        assert url.startswith("data:") or url.lstrip("#") in found.ids, url


def test_all_that_was_found_is_in_it(page):
    found = Checked(html_report.render(page))
    said = " ".join(found.text)
    for run in page["runs"]:
        for _, key in html_report._METRICS:
            assert f"{100 * run['scores'][key]:.2f}" in found.text
        assert f"{100 * run['boundary']['mean_iu']:.2f}" in found.text
        assert f"{100 * run['calibration']['expected_error']:.2f}" in found.text
        for each in run["printed"]:
            assert f"{100 * each['value']:.2f}" in found.text, each
            assert each["why"] in said
    assert "Published: mean IU 65.5 on seg11valid." in said
    assert "it differs in num_steps" in said
    assert set(report_pages.CLASSES) <= set(found.text)
    assert {example["name"] for example in page["examples"]} <= set(found.text)


def test_names_are_no_markup(page):
    text = html_report.render(page)
    assert "<b>park" not in text
    assert "&lt;b&gt;park" in text


def test_a_class_that_is_nowhere_is_a_dash(page):
    text = html_report.render(page)
    start = text.index("nowhere</th>", text.index('id="class-table"'))
    assert "–" in text[start : start + 400]


def test_no_published_numbers_are_no_column(page):
    bare = {**page, "runs": [{**run, "published": None} for run in page["runs"]]}
    assert "Published" not in html_report.render(bare)


def test_pictures_that_have_no_room_are_left_out_and_counted(page):
    whole = html_report.render(page)
    without = html_report.render({**page, "examples": []})
    room = (len(without) + len(whole)) // 2 + 3000
    found = html_report.render(page, room)
    assert len(found.encode()) <= room
    shown = found.count('<figure class="example"')
    assert 0 < shown < len(page["examples"])
    assert f"{len(page['examples']) - shown} more had no room" in found
    worst, best = page["examples"][0]["name"], page["examples"][-1]["name"]
    assert shown < 2 or (worst in found and best in found)


def test_room_is_kept_though_names_take_more_than_is_likely(page, monkeypatch):
    monkeypatch.setattr(html_report, "_AROUND_A_LAYER", 0)
    monkeypatch.setattr(html_report, "_AROUND_A_SCORE", 0)
    room = len(html_report.render(page).encode()) - 1000
    found = html_report.render(page, room)
    assert len(found.encode()) <= room
    assert found.count('<figure class="example"') == len(page["examples"]) // 2


def test_no_room_at_all(page):
    with pytest.raises(ValueError, match="takes .* bytes without any picture, and 900"):
        html_report.render(page, 900)


def test_without_pictures_the_rest_is_there(page):
    found = Checked(html_report.render({**page, "examples": []}))
    assert "images" not in found.ids
    assert "confusion" in found.ids


def test_of_many_classes_the_largest_confusions_are_shown(page, monkeypatch):
    monkeypatch.setattr(html_report, "_WHOLE_MATRIX", 3)
    text = html_report.render(page)
    assert 'class="heat"' not in text
    assert "Most frequent" in text


@pytest.mark.parametrize("how", ("none", "broken"))
def test_without_jinja2(page, monkeypatch, how):
    gone = None if how == "none" else type(sys)("jinja2")
    monkeypatch.setitem(sys.modules, "jinja2", gone)
    with pytest.raises(
        ImportError, match=r"needs jinja2: pip install jinja2 \(the ext"
    ):
        html_report.render(page)


def test_large_pictures_are_made_smaller():
    labels = np.zeros((900, 1800), np.uint8)
    assert len(embedded.photograph(np.zeros((900, 1800, 3), np.uint8))) < 20_000
    assert embedded._smaller(
        embedded.Image.fromarray(labels), embedded.Image.Resampling.NEAREST
    ).size == (448, 224)
