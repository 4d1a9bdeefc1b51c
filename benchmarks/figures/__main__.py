"""Draw the figures of docs/how_it_works.md anew.

python -m benchmarks.figures                    # into docs/figures
python -m benchmarks.figures --out=DIR
"""

import argparse
import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from benchmarks.figures import drawing

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "figures"


def svg(figure: Figure) -> str:
    """A figure as text, the same for the same figure and version of matplotlib."""
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fcn_jax"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    lines = stream.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> None:
    """Write every figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="a folder")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, draw in drawing.FIGURES.items():
        path = out / f"{name}.svg"
        path.write_text(svg(draw()), "utf-8")
        print(path)


if __name__ == "__main__":
    main()
