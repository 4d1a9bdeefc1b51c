"""Faults are small, compile, and are what their names say."""

import ast

import pytest

from benchmarks import mutants
from tests.support.paths import ROOT

CODE = """
LIMIT = 3


def grow(x, y=1):
    if x < y and not x:
        log(x)
    return scale(x + 1, by=2)
"""


@pytest.fixture
def faults(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    (tmp_path / "code.py").write_text(CODE)
    return {fault.name: fault for fault in mutants.faults_of(tmp_path / "code.py")}


def test_every_kind_of_fault(faults):
    assert set(faults) == {
        "code.py:6: x < y and not x -> (x < y or not x)",
        "code.py:6: x < y -> (x <= y)",
        "code.py:6: not x -> (x)",
        "code.py:7: log(x) -> pass",
        "code.py:8: scale(x + 1, by=2) -> (scale(x + 1))",
        "code.py:8: x + 1 -> (x - 1)",
        "code.py:8: 1 -> (2)",
        "code.py:8: 2 -> (3)",
    }


def test_a_fault_changes_one_line(faults):
    for fault in faults.values():
        lines = zip(CODE.splitlines(), fault.source.splitlines(), strict=True)
        changed = [n for n, (old, new) in enumerate(lines, 1) if old != new]
        assert changed == [fault.line]
        ast.parse(fault.source)


def test_the_same_are_drawn_by_a_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    (tmp_path / "fcn_jax").mkdir()
    for number in range(20):
        (tmp_path / f"fcn_jax/code{number}.py").write_text(CODE)
    one, again = (mutants.drawn(30, seed=1) for _ in range(2))
    assert [fault.name for fault in one] == [fault.name for fault in again]
    assert len({fault.module for fault in one}) > 10
    assert one != mutants.drawn(30, seed=2)


def test_tests_that_mirror_a_module():
    assert mutants.tests_of("fcn_jax/ops/pooling.py") == [
        "tests/ops/test_pooling.py",
        "tests/ops",
    ]
    assert mutants.tests_of("fcn_jax/parallel.py") == ["tests/test_parallel.py"]
    for path in (ROOT / "fcn_jax").rglob("*.py"):
        module = path.relative_to(ROOT).as_posix()
        assert all((ROOT / tests).exists() for tests in mutants.tests_of(module))


def test_a_report_names_what_was_not_noticed():
    found = mutants.report({"a": "tests/x.py", "b": "", "c": "tests/y.py", "d": ""})
    assert found == {"tried": 4, "noticed": 0.5, "not_noticed": ["b", "d"]}


@pytest.mark.parametrize(
    ("context", "test"),
    [
        ("tests/a.py::test_b[x|y]|run", "tests/a.py::test_b"),
        ("tests/a.py::test_b (call)", "tests/a.py::test_b"),
        ("tests/a.py::test_b[1 (2)] (setup)|", "tests/a.py::test_b"),
        ("", ""),
    ],
)
def test_the_test_of_a_context(context, test):
    assert mutants.test_of(context) == test


def test_tests_that_run_a_line_come_after_its_own():
    fault = mutants.Fault("fcn_jax/ops/pooling.py", 7, "a", "b", "")
    beside = [f"tests/{file}.py::test_{n}" for file in "xy" for n in range(9)]
    lines = {fault.module: {7: ["tests/ops/test_pooling.py::test_c", *beside]}}
    assert mutants.rounds(fault, lines) == [
        ["tests/ops/test_pooling.py::test_c"],
        [*beside[:4], *beside[9:13]],
    ]
    assert mutants.rounds(fault, {}) == mutants.rounds(fault, None)
    assert mutants.rounds(fault, None) == [["tests/ops/test_pooling.py"], ["tests/ops"]]
    other = fault._replace(module="fcn_jax/ops/boxes_of.py")  # No tests of its own.
    assert mutants.rounds(other, {}) == [["tests/ops"]]


def test_lines_are_read_from_a_record(tmp_path):
    coverage = pytest.importorskip("coverage", reason="needs pytest-cov")
    data = coverage.CoverageData(str(tmp_path / "lines"))
    for context in ("tests/a.py::test_b[1]|run", "tests/a.py::test_b[2]|run", ""):
        data.set_context(context)
        data.add_lines({"/somewhere/fcn_jax/fcn_jax/ops/pooling.py": [3, 4]})
    data.write()
    assert mutants.recorded(tmp_path / "lines") == {
        "fcn_jax/ops/pooling.py": {n: ["tests/a.py::test_b"] for n in (3, 4)}
    }
