"""The HTML report in a headless Chromium: console, sorting, filter, slider, keys."""

import io

import numpy as np
import pytest
from PIL import Image

from fcn_jax.viz import html_report
from tests.support import browser, contrast, report_pages

CHROMIUM = browser.find()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here (Debian: the package chromium)"
)
NAMES = "Array.from(document.querySelectorAll('#class-table tbody tr'))"
SHOWN = f"{NAMES}.filter(r => !r.hidden).map(r => r.cells[0].textContent.trim())"
CARDS = "Array.from(document.querySelectorAll('.example'))"
TITLE = "document.querySelectorAll('#class-table thead button')[{}]"


@pytest.fixture(scope="module")
def chromium():
    page = browser.Page(CHROMIUM)
    yield page
    page.close()


@pytest.fixture(params=(("first",), ("first", "second")))
def opened(request, chromium, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(html_report.render(report_pages.page(request.param)), "utf-8")
    chromium.open(path)
    yield chromium
    assert chromium.problems == []


def test_it_opens_without_a_network_and_without_complaints(opened):
    assert opened.ask("document.querySelectorAll('img').length") > 10
    assert opened.ask(
        "Array.from(document.images).every(i => i.complete && i.naturalWidth > 0)"
    )


def test_it_keeps_the_console_to_tell(chromium, tmp_path):
    """What the other tests rely on: a page that complains is found out."""
    path = tmp_path / "bad.html"
    path.write_text("<script>nothing.there()</script><img src='http://localhost/x'>")
    chromium.open(path)
    assert len(chromium.problems) >= 2


def test_a_bar_and_its_number_are_on_one_line(opened):
    heights = "Array.from(document.querySelectorAll('td.m')).map(c => c.offsetHeight)"
    found = opened.ask(heights)
    assert found
    assert max(found) < 60  # A name of two lines is 50.
    tops = (
        "Array.from(document.querySelectorAll('td.m')).every(c => Math.abs("
        "c.children[0].getBoundingClientRect().y"
        " - c.children[1].getBoundingClientRect().y) < 15)"
    )
    assert opened.ask(tops)


def test_a_click_sorts_and_another_turns_round(opened):
    values = f"{NAMES}.map(r => r.cells[1].dataset.v)"
    opened.click(TITLE.format(1))
    found = opened.ask(values)
    assert found[-1] == ""  # A class without an IU stays last.
    numbers = [float(value) for value in found[:-1]]
    assert numbers == sorted(numbers, reverse=True)
    opened.click(TITLE.format(1))
    assert opened.ask(values) == [*reversed(found[:-1]), ""]
    header = f"{TITLE.format(1)}.closest('th').getAttribute('aria-sort')"
    assert opened.ask(header) == "ascending"
    opened.click(TITLE.format(0))
    names = opened.ask(SHOWN)
    assert names == sorted(names)
    assert opened.ask(header) == "none"


def test_the_filter_goes_through_tables_and_pictures(opened):
    opened.click("document.getElementById('filter')")
    opened.type("ca")
    assert opened.ask(SHOWN) == list(report_pages.CLASSES[1:3])
    opened.type("r")  # A whole name is that class, not those that begin so.
    assert opened.ask(SHOWN) == ["car"]
    shown = f"{CARDS}.filter(c => !c.hidden)"
    assert opened.ask(f"{shown}.every(c => 'car' in JSON.parse(c.dataset.iu))")
    assert 0 < opened.ask(f"{shown}.length") < opened.ask(f"{CARDS}.length")
    of_class = opened.ask(f"{shown}.map(c => JSON.parse(c.dataset.iu).car)")
    assert of_class == sorted(of_class)
    assert opened.ask("document.getElementById('said').textContent").startswith("1 of ")
    rows = "Array.from(document.querySelectorAll('#confusion .heat tbody tr'))"
    assert opened.ask(f"{rows}.filter(r => !r.hidden).length") == opened.ask(
        "document.querySelectorAll('#confusion .heat').length"
    )


def test_a_name_with_markup_in_it_can_be_filtered(opened):
    opened.click("document.getElementById('filter')")
    opened.type("<b>PARK")
    assert opened.ask(SHOWN) == [report_pages.CLASSES[2]]


def test_the_order_of_the_pictures(opened):
    means = f"{CARDS}.map(c => Number(c.dataset.mean))"
    assert opened.ask(means) == sorted(opened.ask(means))
    opened.ask(
        "(() => { const o = document.getElementById('order'); o.value = 'best';"
        "o.dispatchEvent(new Event('change')); })()"
    )
    assert opened.ask(means) == sorted(opened.ask(means), reverse=True)


def opacities(opened):
    return opened.ask(
        "Array.from(document.querySelectorAll('.example:first-child .stack img'))"
        ".map(i => Number(getComputedStyle(i).opacity))"
    )


def test_the_slider_by_keys_and_by_its_stops(opened):
    slider = "document.querySelector('.example input[type=range]')"
    layers = opened.ask("document.querySelectorAll('.example:first-child img').length")
    assert opacities(opened) == [1, 1, 1] + [0] * (layers - 3)  # The prediction.
    opened.ask(f"{slider}.focus()")
    opened.press("Home", 36)
    assert opacities(opened) == [1] + [0] * (layers - 1)
    for _ in range(2):
        opened.press("ArrowRight", 39)
    assert opacities(opened) == [1, 0.5] + [0] * (layers - 2)
    opened.press("End", 35)
    assert opacities(opened) == [1] * layers
    opened.click("document.querySelectorAll('.example:first-child .stops button')[1]")
    assert opened.ask(f"{slider}.value") == "1"
    assert opened.ask(f"{slider}.getAttribute('aria-valuetext')") == "truth"
    assert opened.ask(
        "document.querySelector('.stops [aria-pressed=true]').textContent"
    ) == ("truth")


def test_a_layer_everywhere(opened):
    opened.ask(
        "(() => { const e = document.getElementById('everywhere'); e.value = '1';"
        "e.dispatchEvent(new Event('change')); })()"
    )
    values = opened.ask(f"{CARDS}.map(c => c.querySelector('input').value)")
    assert set(values) == {"1"}


def test_the_keyboard_reaches_everything_and_enter_sorts(opened):
    wanted = opened.ask(
        "document.querySelectorAll('a[href], button, input, select, summary').length"
    )
    hidden = opened.ask(
        "Array.from(document.querySelectorAll('details:not([open]) > :not(summary)'))"
        ".flatMap(e => Array.from(e.querySelectorAll('button'))).length"
    )
    seen = "document.activeElement !== document.body"
    reached = 0
    sorted_once = False
    for _ in range(wanted + 20):
        opened.press("Tab", 9)
        if not opened.ask(seen):
            break
        what = opened.ask("document.activeElement.tagName")
        reached += what in ("A", "BUTTON", "INPUT", "SELECT", "SUMMARY")
        title = "document.activeElement.closest('#class-table th')"
        if not sorted_once and opened.ask(f"{title} !== null"):
            opened.press("Enter", 13, "\r")
            sorted_once = opened.ask(f"{title}.getAttribute('aria-sort')") != "none"
    assert sorted_once
    assert reached == wanted - hidden


def test_dark_is_dark_and_text_can_be_read(opened):
    brightness = {}
    for dark in (False, True):
        opened.dark(dark)
        with Image.open(io.BytesIO(opened.picture())) as picture:
            seen = np.asarray(picture.convert("L"))
        brightness[dark] = (float(np.median(seen)), float(seen[-1, 2]))
        ratio, whose = opened.ask(contrast.LEAST)
        assert 4.5 <= ratio <= 21, (ratio, whose)
    opened.dark(False)
    assert min(brightness[False]) > 230
    assert max(brightness[True]) < 50
