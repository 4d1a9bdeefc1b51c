"""Measures of the plan of the house, counted in its sources; nothing is run.

python -m benchmarks.measures                       # this checkout
python -m benchmarks.measures --against ../before   # and another, side by side
"""

import argparse
import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Rooms of the package; what stands in a line may import what stands above it.
STOREYS = (
    (
        *("storage", "messages", "ops", "preprocessing", "parallel", "runtime"),
        *("exported", "hosts"),
    ),
    ("models",),
    ("crf", "proposals"),
    ("data",),
    ("training", "regions"),
    ("viz",),
    ("inference",),
    ("evaluation",),
    ("weights", "export", "to_onnx"),
    ("config",),
    ("runs",),
    ("serving",),
    ("commands",),
    ("__init__", "__main__"),
)
# Side by side in one storey, but the one may use the other.
_NEIGHBOURS = {("proposals", "storage")}


def modules(root: Path) -> dict[str, ast.Module]:
    """The package's modules by dotted name, parsed."""
    found = {}
    for path in sorted((root / "fcn_jax").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts)] = ast.parse(path.read_text("utf-8"))
    return found


def imports(name: str, tree: ast.Module, known: Sequence[str]) -> Iterator[str]:
    """The modules of the package that a module imports when it is imported."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in known)
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                for target in (f"{node.module}.{alias.name}", node.module):
                    if target in known or f"{target}.__init__" in known:
                        yield target if target in known else f"{target}.__init__"
                        break


def graph(root: Path) -> dict[str, set[str]]:
    """Which modules import which."""
    trees = modules(root)
    return {
        name: {t for t in imports(name, tree, list(trees)) if t != name}
        for name, tree in trees.items()
    }


def room(name: str) -> str:
    """The room of a module: the part of its name after the package's."""
    return name.split(".")[1]


def upward(found: dict[str, set[str]]) -> list[str] | None:
    """Imports that climb; None where a room is on no storey."""
    storey = {each: i for i, rooms in enumerate(STOREYS) for each in rooms}
    if any(room(name) not in storey for name in found):
        return None
    return [
        f"{name} -> {target}"
        for name, targets in found.items()
        for target in targets
        if storey[room(target)] > storey[room(name)]
    ]


def cycles(found: dict[str, set[str]]) -> list[str]:
    """Modules that reach themselves; the handing on of a package's names is none."""

    def reached(start):
        seen, todo = set(), [start]
        while todo:
            for target in found.get(todo.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        return seen

    return [name for name in found if name in reached(name)]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function below its signature and docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Named parameters of a function, self and cls apart."""
    names = [
        a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    ]
    return len([name for name in names if name not in ("self", "cls")])


def any_lines(tree: ast.Module) -> int:
    """Lines of annotations in which Any stands."""
    lines = set()
    for node in ast.walk(tree):
        notes = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            every = (
                *node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs,
                node.args.vararg, node.args.kwarg,
            )  # fmt: skip
            notes = [a.annotation for a in every if a and a.annotation]
            notes += [node.returns] if node.returns else []
        elif isinstance(node, ast.AnnAssign):
            notes = [node.annotation]
        for note in notes:
            lines |= {
                each.lineno
                for each in ast.walk(note)
                if isinstance(each, ast.Name) and each.id == "Any"
            }
    return len(lines)


def measure(root: Path) -> dict[str, str]:
    """All measures of a checkout, by what they are."""
    trees, found = modules(root), graph(root)
    nodes = [(name, node) for name, tree in trees.items() for node in ast.walk(tree)]
    functions = [
        (name, node)
        for name, node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    classes = [
        f"{name}.{node.name} {node.end_lineno - node.lineno + 1}"
        for name, node in nodes
        if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno + 1 > 150
    ]
    lengths = {
        name: len((root / (name.replace(".", "/") + ".py")).read_text().splitlines())
        for name in trees
    }
    longest = max(lengths, key=lambda name: lengths[name])
    body = max(functions, key=lambda each: body_lines(each[1]))
    most = max(functions, key=lambda each: parameters(each[1]))
    loose = [
        path.stem
        for path in (root / "fcn_jax").glob("*.py")
        if not path.stem.startswith("__")
    ]
    climbing = upward(found)
    tests = [path.read_text("utf-8") for path in (root / "tests").rglob("test_*.py")]
    return {
        "loose modules": str(len(loose)),
        "upward imports": "-" if climbing is None else _listed(climbing),
        "modules in a cycle": _listed(cycles(found)),
        "classes over 150 lines": _listed(classes),
        "longest module": f"{lengths[longest]} ({longest})",
        "longest body": f"{body_lines(body[1])} ({body[0]}.{body[1].name})",
        "most parameters": f"{parameters(most[1])} ({most[0]}.{most[1].name})",
        "annotations with Any": str(sum(map(any_lines, trees.values()))),
        "tests that alter sys.path": str(
            sum("sys.path.insert(" in text.split("\ndef ")[0] for text in tests)
        ),
        "tests that import a test": str(
            sum("\nfrom test_" in t or "\nimport test_" in t for t in tests)
        ),
    }


def _listed(found: Sequence[str]) -> str:
    return f"{len(found)}" + (f" ({', '.join(sorted(found)[:4])})" if found else "")


def main() -> None:
    """Print the measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout")
    arguments = parser.parse_args()
    here = measure(ROOT)
    there = measure(arguments.against) if arguments.against else None
    for name, value in here.items():
        before = f"{there[name]:<48}" if there else ""
        print(f"{name:<28}{before}{value}")


if __name__ == "__main__":
    main()
