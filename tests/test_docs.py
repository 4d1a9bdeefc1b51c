"""What README and docs name is there; what they say runs."""

import ast
import functools
import importlib.util
import inspect
import json
import pkgutil
import re
from urllib.parse import urlsplit

import pytest

from benchmarks import measures
from fcn_jax import __main__
from fcn_jax.config import named
from fcn_jax.hosts import ends
from tests.support import pages
from tests.support.pages import PAGES
from tests.support.paths import ROOT


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    here = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", pages.text_of(page)):
        path, _, anchor = target.partition("#")
        if "://" in target:
            url = urlsplit(target)
            assert url.scheme in ("https", "http"), target
            assert re.fullmatch(r"[\w-]+(\.[\w-]+)+(:\d+)?", url.netloc), target
            continue
        there = here / path if path else ROOT / page
        assert there.exists(), target
        if anchor:
            name = there.resolve().relative_to(ROOT).as_posix()
            assert anchor in pages.anchors(name), target


@pytest.mark.parametrize("page", PAGES)
def test_measurements_and_configs_are_there(page):
    text = pages.text_of(page)
    for module in re.findall(r"-m (benchmarks\.[a-z0-9_.]+[a-z0-9])", text):
        assert importlib.util.find_spec(module), module
    for name in re.findall(r"--config=([a-z]\w+)", text):
        assert name in named.names(), name
    rooms = "configs|tests|benchmarks|docs|fcn_jax"
    for path in re.findall(rf"`((?:{rooms})/[\w/]+\.\w+)`", text):
        assert (ROOT / path).exists(), path
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE):
        assert target in targets, target


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_known_with_their_flags(page):
    wrong = {" ".join(each): pages.mistakes(each) for each in pages.commands(page)}
    assert {line: found for line, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("line", "found"),
    (
        ("fcn_jax trian --workdir=runs/mine", ["no command trian"]),
        ("fcn_jax train --workdirs=runs/mine", ["no flag --workdirs"]),
        ("fcn_jax train --config=shapes --workdir=W", ["no config shapes"]),
        ("fcn_jax train --config.optim.rate=1", ["no key --config.optim.rate"]),
        (
            "fcn_jax train --config=shapes_fcn8s --config.model.bn_shift=1",
            ["no key --config.model.bn_shift"],
        ),
        ("fcn_jax import --nolabels", ["labels is no switch"]),
        (
            "A=1 fcn_jax export --format=torch",
            ["--format=torch: value should be one of <stablehlo|onnx>"],
        ),
        (
            "find x | fcn_jax predict RUN - --out=DIR --nocompare",
            ["no flag --nocompare"],
        ),
        ("python -m fcn_jax eval --workdir=DIR --step=N --flip", []),
        ("fcn_jax train \\\n  --config.optim.schedule_options.power=1", []),
    ),
)
def test_a_stale_command_is_noticed(line, found):
    (command,) = pages.commands_of(line)
    assert pages.mistakes(command) == found


@functools.cache
def resolved(name):
    """What a dotted name stands for.

    Raises:
        AttributeError: If it stands for nothing.
        ImportError: If its module is not there.
    """
    return pkgutil.resolve_name(name)


def test_python_names_what_is_there():
    """Names of fcn_jax and keywords of its functions, in all blocks of Python."""
    count = 0
    for page in PAGES:
        for text in pages.python_of(page):
            tree = ast.parse(text)
            known = {}
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    known |= {a.asname or a.name: a.name for a in node.names}
                if isinstance(node, ast.ImportFrom):
                    known |= {
                        a.asname or a.name: f"{node.module}.{a.name}"
                        for a in node.names
                    }
            known = {name: x for name, x in known.items() if x.startswith("fcn_jax")}
            for name in known.values():
                resolved(name)
            for node in ast.walk(tree):
                name = _dotted(node, known)
                if name:
                    resolved(name)
                    count += 1
                if isinstance(node, ast.Call) and (name := _dotted(node.func, known)):
                    _check_keywords(node, resolved(name))
    assert count > 20


def _dotted(node, known):
    """The whole name of an attribute of what was imported; "" for other nodes."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    if not parts or not isinstance(node, ast.Name) or node.id not in known:
        return ""
    return ".".join((known[node.id], *parts))


def _check_keywords(call, function):
    signature = inspect.signature(function)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for keyword in call.keywords:
        known = takes_any or keyword.arg is None or keyword.arg in signature.parameters
        assert known, (function, keyword.arg)


# What docstrings name beside our own: files, and what others' objects have.
_OF_OTHERS = re.compile(
    r".*\.(py|json|jsonl|txt)|(model|net)\.(init|apply)|(jax|torch)\..*"
)


def is_named(name, module, known):
    """Whether a dotted name of a docstring stands for something.

    Args:
        name: As it stands there.
        module: Whose docstring it is.
        known: Names of all rooms.
    """
    if _OF_OTHERS.fullmatch(name) or name.removeprefix("config.") in KEYS:
        return True
    here = module.split(".")
    above = [".".join(here[:count]) for count in range(1, len(here) + 1)]
    places = [*above, *(f"fcn_jax.{room}" for room in known)]
    whole = [name] if name.startswith(("fcn_jax.", "benchmarks.")) else []
    for candidate in (*whole, *(f"{place}.{name}" for place in places)):
        try:
            resolved(candidate)
        except (ImportError, AttributeError, ValueError):
            continue
        return True
    return False


KEYS = pages.config_keys()


@pytest.fixture(scope="module")
def rooms():
    return sorted({module.split(".")[1] for module in measures.modules(measures.ROOT)})


@pytest.mark.long
def test_names_in_docstrings_exist(rooms):
    """Dotted ones, such as `ops.pooling`, wherever they are resolved from."""
    missing, count = set(), 0
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for module, tree in measures.modules(measures.ROOT).items():
        for node in ast.walk(tree):
            if isinstance(node, documented):
                text = ast.get_docstring(node) or ""
                for name in re.findall(r"`([A-Za-z_]\w*(?:\.\w+)+)(?:\(.*?\))?`", text):
                    count += 1
                    if not is_named(name, module.removesuffix(".__init__"), rooms):
                        missing.add(f"{module}: {name}")
    assert missing == set()
    assert count > 150


def test_a_stale_name_in_a_docstring_is_noticed(rooms):
    here = "fcn_jax.data.loader"
    assert is_named("windows.Tiles", here, rooms)
    assert is_named("config.loss.balance", here, rooms)
    for name in ("data.scaled_key", "fcn_jax.data.scaled_key", "config.loss.weights"):
        assert not is_named(name, here, rooms), name


def test_every_page_has_its_place():
    found = pages.order()
    there = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for ending in ("md", "rst", "ipynb")
        for path in (ROOT / "docs").rglob(f"*.{ending}")
        if "_build" not in path.parts
    }
    assert sorted(found) == sorted(there)
    text = pages.text_of("docs/index.md")
    linked = re.findall(r"\]\(([\w/]+)\.\w+\)", text)
    pages_of_api = {name for name in there if name.startswith("api/")}
    assert there - pages_of_api - {"index"} <= set(linked)


def test_the_reference_has_all_that_the_package_exports():
    import fcn_jax

    text = pages.text_of("docs/api/index.rst")
    named_there = re.findall(r"autofunction:: fcn_jax\.(\w+)", text)
    assert sorted(named_there) == sorted(fcn_jax.__all__)
    documented = set()
    for path in (ROOT / "docs/api").glob("*.rst"):
        documented |= set(re.findall(r"automodule:: (fcn_jax[\w.]*)", path.read_text()))
    for name in documented:
        importlib.import_module(name)
    rooms = re.findall(r"`(fcn_jax\.[a-z_.]+)`", pages.text_of("docs/library.md"))
    for name in rooms:
        if inspect.ismodule(resolved(name)):
            assert any(each.startswith(name) for each in documented), name


def test_the_notebook_is_without_outputs():
    notebook = json.loads(pages.text_of("docs/shapes.ipynb"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)


def test_all_commands_are_listed():
    found = [
        row["command"] for row in pages.rows("docs/commands.md") if "command" in row
    ]
    assert sorted(found) == sorted(f"`fcn_jax {name}`" for name in __main__.COMMANDS)


def test_exit_statuses_are_those_of_the_program():
    import signal

    listed = {
        int(row["status"]) for row in pages.rows("docs/commands.md") if "status" in row
    }
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
    assert listed == {0, 1, ends.GONE, *(128 + number for number in signals)}
    for number in (ends.GONE, 130, 143):
        assert str(number) in __main__.usage()
