"""Faults put into the code one at a time: do the tests notice?

pip install pytest-cov
python -m benchmarks.mutants --record=lines      # which test runs which line: an hour
python -m benchmarks.mutants --lines=lines --count=100 --out=mutants.json
python -m benchmarks.mutants --list --count=20   # what would be tried

A fault is a small change of one place of `fcn_jax`: another comparison, operator,
number or truth value, an argument or a line left out. Places are drawn by seed, no more
than a few a module, and each fault is tried in a copy of the checkout by the module's
own tests (tests/ mirrors fcn_jax/) that run the line, then, where these pass, by others
that do (without --lines: by all its tests, then by all of its package). Goes on where
it was. Prints the share that was noticed and every fault that was not; some change
nothing that can be seen, and are to be looked at by hand.
"""

import argparse
import ast
import copy
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 420  # For the tests of one fault; those that hang notice it too.
_OF_A_FILE, _OF_ALL = 4, 40  # Tests of other modules that run a line, at most.
_RECORDING = """
[run]
source = fcn_jax
parallel = true
patch = subprocess
context = ${{PYTEST_CURRENT_TEST-}}
data_file = {}
"""
_PER_MODULE = 4
_COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Add, ast.And: ast.Or, ast.Or: ast.And,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


class Fault(NamedTuple):
    """A change of one place.

    Attributes:
        module: Path of the file, relative to the checkout.
        line: Where.
        before: The code there.
        after: The code in its place.
        source: The whole file with the fault.
    """

    module: str
    line: int
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """By which it is known in a report."""
        return f"{self.module}:{self.line}: {self.before} -> {self.after}"


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may be changed into; each a copy."""
    if isinstance(node, ast.Compare):
        other = _COMPARISONS.get(type(node.ops[0]))
        if other:
            changed = copy.deepcopy(node)
            changed.ops[0] = other()
            yield changed
    if isinstance(node, ast.BinOp | ast.BoolOp):
        other = _OPERATORS.get(type(node.op))
        if other:
            changed = copy.deepcopy(node)
            changed.op = other()
            yield changed
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield copy.deepcopy(node.operand)
    if isinstance(node, ast.Call) and _counts(node):
        changed = copy.deepcopy(node)
        changed.keywords = changed.keywords[1:]
        yield changed
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()  # A call for what it does, left out.


def _counts(node: ast.Call) -> bool:
    """Whether the first keyword of a call has an effect where tests run, on a CPU."""
    return bool(node.keywords) and node.keywords[0].arg not in ("strict", "precision")


def faults_of(path: Path) -> list[Fault]:
    """All faults of a module; not each of them compiles."""
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    found: list[Fault] = []
    inside = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    seen: set[int] = set()
    for function in inside:
        for statement in function.body:
            for node in ast.walk(statement):
                if id(node) in seen or not hasattr(node, "lineno"):
                    continue
                seen.add(id(node))
                for changed in changes(node):
                    fault = _replaced(path, source, lines, node, changed)
                    if fault is not None:
                        found.append(fault)
    return found


def _replaced(
    path: Path, source: str, lines: list[str], node: ast.AST, changed: ast.AST
) -> Fault | None:
    """The module with a node changed; None where it has several lines, or raises."""
    first, last = node.lineno, node.end_lineno
    before = ast.get_source_segment(source, node)
    if first != last or before is None or "raise" in before:
        return None
    line = lines[first - 1].encode()
    after = ast.unparse(ast.fix_missing_locations(changed))
    if not isinstance(changed, ast.Pass):
        after = f"({after})"
    new = line[: node.col_offset] + after.encode() + line[node.end_col_offset :]
    text = "".join([*lines[: first - 1], new.decode(), *lines[first:]])
    module = path.relative_to(ROOT).as_posix()
    return Fault(module, first, before, after, text)


def compiles(fault: Fault) -> bool:
    """Whether the module with a fault is Python still."""
    try:
        compile(fault.source, fault.module, "exec")
    except SyntaxError:
        return False
    return True


def drawn(count: int, seed: int) -> list[Fault]:
    """Faults of all modules, a few of each at most, by chance."""
    rng = random.Random(seed)
    chosen: list[Fault] = []
    for path in sorted((ROOT / "fcn_jax").rglob("*.py")):
        faults = faults_of(path)
        rng.shuffle(faults)
        chosen += itertools.islice(filter(compiles, faults), _PER_MODULE)
    return rng.sample(chosen, min(count, len(chosen)))


def tests_of(module: str) -> list[str]:
    """Tests that should notice a fault: the module's own, then those of its package."""
    relative = Path(module).relative_to("fcn_jax")
    own = Path("tests") / relative.parent / f"test_{relative.name}"
    package = Path("tests") / relative.parent
    found = [str(path) for path in (own, package) if (ROOT / path).exists()]
    return [path for path in found if path != "tests"] or ["tests"]


def record(path: Path) -> None:
    """Run all tests and write down which of them run which line of the package.

    Args:
        path: What coverage.py writes.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as settings:
        settings.write(_RECORDING.format(path.absolute()))
        settings.flush()
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-n", "2", "-q"),
                *("--cov=fcn_jax", f"--cov-config={settings.name}"),
                *("--cov-context=test", "--cov-report="),
            ],
            cwd=ROOT,
            check=True,
        )


Lines = Mapping[str, Mapping[int, list[str]]]


def recorded(path: Path) -> Lines:
    """For every module and line the tests that run it, as `record` wrote them down.

    Args:
        path: Of the record.
    """
    import coverage

    data = coverage.CoverageData(str(path))
    data.read()
    found: dict[str, dict[int, list[str]]] = {}
    for file in data.measured_files():
        lines = data.contexts_by_lineno(file)
        found[f"fcn_jax/{file.rpartition('/fcn_jax/')[2]}"] = {
            number: sorted({name for text in contexts if (name := test_of(text))})
            for number, contexts in lines.items()
        }
    return found


def test_of(context: str) -> str:
    """The test in a context: "tests/a.py::test_b[3]|run", or as pytest tells processes.

    Args:
        context: Of coverage.py.

    Returns:
        File and function, without parameters; "": it was no test.
    """
    name = context.split("|")[0].split(" (")[0].split("[")[0]
    return name if "::" in name else ""


def tests_of_line(fault: Fault, lines: Lines) -> tuple[list[str], list[str]]:
    """Tests that run the line of a fault.

    Args:
        fault: The fault.
        lines: What `recorded` returned.

    Returns:
        Those of the module's own file, and a few of each other file.
    """
    own = tests_of(fault.module)[0]
    chosen: dict[str, list[str]] = {own: []}
    for test in lines.get(fault.module, {}).get(fault.line, ()):
        file = test.partition("::")[0]
        if file == own or len(chosen.setdefault(file, [])) < _OF_A_FILE:
            chosen[file].append(test)
    others = [test for file, tests in chosen.items() if file != own for test in tests]
    return chosen[own], others[:_OF_ALL]


def rounds(fault: Fault, lines: Lines | None) -> list[list[str]]:
    """What is run for a fault, one after the other until something fails.

    Args:
        fault: The fault.
        lines: Which tests run which line; None: it is not known.
    """
    mirrored = tests_of(fault.module)
    if lines is None:
        return [[tests] for tests in mirrored]
    found = [tests for tests in tests_of_line(fault, lines) if tests]
    # What only other processes run, or none, is not on record.
    return found or [[tests] for tests in mirrored]


def is_noticed(fault: Fault, checkout: Path, lines: Lines | None = None) -> str:
    """Which tests fail with a fault; "" if all pass."""
    place = checkout / fault.module
    whole = place.read_text("utf-8")
    place.write_text(fault.source, "utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        for tests in rounds(fault, lines):
            name = tests[0].partition("::")[0] + ", ..." * (len(tests) > 1)
            try:
                done = subprocess.run(
                    [*command, *tests],
                    cwd=checkout,
                    env={**os.environ, "PYTHONPATH": str(checkout)},
                    capture_output=True,
                    timeout=_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return f"{name} (time-out)"
            if done.returncode not in (0, 5):
                return name
    finally:
        place.write_text(whole, "utf-8")
    return ""


def copied(folder: Path) -> Path:
    """A copy of the checkout, as Git knows it."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def report(results: dict[str, str]) -> dict[str, object]:
    """What came of all faults so far."""
    missed = sorted(name for name, tests in results.items() if not tests)
    share = 1 - len(missed) / max(1, len(results))
    return {"tried": len(results), "noticed": round(share, 4), "not_noticed": missed}


def main() -> None:
    """Try faults, and print what came of them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("mutants.json"))
    parser.add_argument("--list", action="store_true", help="show the faults alone")
    parser.add_argument("--record", type=Path, help="write which test runs which line")
    parser.add_argument("--lines", type=Path, help="what --record wrote")
    arguments = parser.parse_args()
    if arguments.record:
        record(arguments.record)
        return
    lines = recorded(arguments.lines) if arguments.lines else None
    faults = drawn(arguments.count, arguments.seed)
    if arguments.list:
        print("\n".join(fault.name for fault in faults))
        return
    results: dict[str, str] = {}
    if arguments.out.exists():
        results = json.loads(arguments.out.read_text("utf-8"))
    left = [fault for fault in faults if fault.name not in results]
    with tempfile.TemporaryDirectory() as folder:
        checkouts = [copied(Path(folder) / str(n)) for n in range(arguments.jobs)]

        def work(number: int) -> None:
            for fault in left[number :: arguments.jobs]:
                results[fault.name] = is_noticed(fault, checkouts[number], lines)
                arguments.out.write_text(json.dumps(results, indent=1), "utf-8")
                print(
                    f"{results[fault.name] or 'NOT NOTICED'}: {fault.name}",
                    file=sys.stderr,
                )

        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(work, range(arguments.jobs)))
    asked = {fault.name: results[fault.name] for fault in faults}
    print(json.dumps(report(asked), indent=1))


if __name__ == "__main__":
    main()
