"""CFM on the shapes against FCN-32s, from scratch, for as many first steps.

python -m benchmarks.feature_masking --out=runs/cfm  # half an hour on 2 cores
python -m benchmarks.feature_masking --smoke         # two steps of narrow nets

Nets at an eighth of the width, 200 updates of 8 whole images of the built-in shapes,
enlarged twice for CFM, with the optimiser of the demo: FCN-32s, design A on VGG-16 and
design B on ZF-5. Of CFM also AP^r, and the mean IU once the threshold of its background
is that of two segments an image; and what no choice among the proposed segments can
exceed, the mean over objects of the best segment's overlap. A run that is there is not
done again; segments are proposed once for both. Prints JSON.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.common import box_nets
from configs import shapes_cfm, shapes_fcn8s
from fcn_jax.config import datasets, examples
from fcn_jax.config.types import Config
from fcn_jax.data import objects
from fcn_jax.data.segments import overlaps

NETS = ("fcn32s", "cfm", "cfm_design_b")


def config_of(name: str, out: Path, smoke: bool) -> Config:
    """The config of a row: what all have alike, and where its segments are."""
    mode = "smoke" if smoke else "full"
    if name.startswith("cfm"):
        config = shapes_cfm.get_config(mode)
        config.data.objects.cache_dir = str(out / "segments")
    else:
        config = shapes_fcn8s.get_config(mode)
        config.data.crop = ()
    config.model.name = name
    return box_nets.alike(config, smoke)


def propose(config: Config) -> float:
    """The mean over objects of the best segment's overlap, of the split that is scored.

    The segments of both splits are made where they are not there.
    """
    found = examples.make_segment_cache(config, config.data.objects.cache_dir)
    box_nets.propose(config, found)
    source, best = datasets.open_split(config, config.data.eval_split), list[float]()
    for place in range(len(source)):
        item = source[place]
        numbers = objects.object_map(item)
        shared = overlaps(found.of_item(item), numbers, item["labels"] != 255)
        own = np.unique(numbers[numbers > 0])
        best += shared[:, own].max(axis=0).tolist()
    return float(np.mean(best))


def row(name: str, out: Path, smoke: bool) -> Mapping[str, object]:
    """What a run of a network found; it is trained where it is not there."""
    config = config_of(name, out, smoke)
    best = {"best_overlap": propose(config)} if name.startswith("cfm") else {}
    return {**best, **box_nets.row(config, out / name)}


def main():
    box_nets.print_rows("CFM's first steps.", NETS, row)


if __name__ == "__main__":
    main()
