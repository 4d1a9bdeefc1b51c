"""Table 1 of the DeconvNet paper, drawn again: every system, trained and scored alike.

python -m benchmarks.table1 --data=shapes --out=runs/table1            # hours
python -m benchmarks.table1 --data=camvid --root=DIR --out=runs/table1_camvid
python -m benchmarks.table1 --data=voc2012 --encoder=vgg16.npz --out=runs/table1_voc
python -m benchmarks.table1 --out=runs/table1 --minutes=0   # of what is there
python -m benchmarks.table1 --out=DIR --smoke

Hypercolumn, MSRA-CFM, FCN-8s, TTI-Zoomout-16, DeepLab-CRF, DeconvNet, EDeconvNet, both
with the CRF, and from boxes alone WSSL and BoxSup. Every system sees as many images
(--images) from the same encoder weights (--encoder) by the configs that
`benchmarks/table1/systems.py` names. A call ends after its --minutes and the next goes
on: a system that is finished is not run again, one that was interrupted resumes.
Writes OUT/table1.md, table1.tex, table1.png and rows/NAME.json.

On the shapes encoders start from noise, at a quarter of the width; so Hypercolumn and
MSRA-CFM tune theirs there, as was not done. TTI-Zoomout-16's stays what it is: noise,
unless --encoder names another.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.common import machine
from benchmarks.table1 import systems, writing
from benchmarks.table1.running import Row, Setting, encoder_at, rows_of
from fcn_jax.storage import files


def draw(rows: dict[str, Row], data: str, setting: Setting) -> str:
    """Write the three forms of the table; returns the Markdown.

    Args:
        rows: That are there, by name.
        data: Name of the data set.
        setting: With which they were made.
    """
    table = writing.markdown(rows, systems.ABSENT.get(data, {}), data)
    about = {**setting.asked(), **machine.describe()}
    files.write_text(
        setting.out / "table1.md", f"{table}\n{json.dumps(about, default=str)}\n"
    )
    files.write_text(setting.out / "table1.tex", writing.latex(rows, data))
    writing.plot(rows, data, setting.out / "table1.png")
    return table


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=systems.SYSTEMS, default=systems.SHAPES)
    parser.add_argument("--root", help="folder of CamVid in VOC layout")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, help="that each system sees")
    parser.add_argument("--encoder", default="", help="weights they start from")
    parser.add_argument("--only", nargs="+", help="these systems alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--minutes", type=float, help="begin no system after as many; 0: none"
    )
    parser.add_argument("--smoke", action="store_true", help="two steps a run")
    return parser.parse_args()


def main() -> None:
    """Run the systems in turn, and draw the table after each."""
    asked = parsed()
    begun = time.monotonic()
    images = systems.IMAGES[asked.data] if asked.images is None else asked.images
    keys = {} if asked.root is None else {"data.root": Path(asked.root).resolve()}
    setting = Setting(
        asked.out.resolve(),
        0 if asked.smoke else images,
        asked.seed,
        encoder_at(asked.encoder, Path.cwd()),
        keys,
        asked.smoke,
    )
    rows: dict[str, Row] = {}
    for system in systems.SYSTEMS[asked.data]:
        done = (setting.out / "rows" / f"{system.name}.json").exists()
        late = asked.minutes is not None and (
            time.monotonic() - begun >= 60 * asked.minutes
        )
        chosen = asked.only is None or system.name in asked.only
        if done or (chosen and not late):
            rows |= {row.name: row for row in rows_of(system, setting)}
            draw(rows, asked.data, setting)
    if not rows:
        sys.exit(f"{setting.out} has no row yet, and none was run")
    print(draw(rows, asked.data, setting))


if __name__ == "__main__":
    main()
