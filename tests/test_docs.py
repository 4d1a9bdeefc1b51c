"""What README and docs name is there."""

import importlib.util
import re

import pytest

from fcn_jax.config import named
from tests.support.paths import ROOT

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#\s]+)\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_measurements_and_configs_are_there(page):
    text = (ROOT / page).read_text()
    for module in re.findall(r"-m (benchmarks\.[a-z_.]+[a-z])", text):
        assert importlib.util.find_spec(module), module
    for name in re.findall(r"--config=([a-z]\w+)", text):
        assert name in named.names(), name
    rooms = "configs|tests|benchmarks|docs|fcn_jax"
    for path in re.findall(rf"`((?:{rooms})/[\w/]+\.\w+)`", text):
        assert (ROOT / path).exists(), path
