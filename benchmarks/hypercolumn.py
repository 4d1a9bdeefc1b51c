"""Hypercolumn on the shapes against FCN-32s, from scratch, for as many first steps.

python -m benchmarks.hypercolumn --out=runs/hypercolumn  # half an hour on 2 cores
python -m benchmarks.hypercolumn --smoke                 # two steps of narrow nets

Both nets at an eighth of the width, 200 updates of 8 whole images of the built-in
shapes, with the optimiser of the demo. Of Hypercolumn also AP^r, and the mean IU once
the threshold of its background is that of two regions an image. A run that is there
is not done again; proposals are computed first. Prints JSON.
"""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.common import box_nets
from configs import shapes_fcn8s, shapes_hypercolumn
from fcn_jax.config import examples
from fcn_jax.config.types import Config

NETS = ("fcn32s", "hypercolumn")


def config_of(name: str, out: Path, smoke: bool) -> Config:
    """The config of a row: what both have alike, and where its proposals are."""
    mode = "smoke" if smoke else "full"
    if name == "hypercolumn":
        config = shapes_hypercolumn.get_config(mode)
        config.data.objects.cache_dir = str(out / "proposals")
    else:
        config = shapes_fcn8s.get_config(mode)
        config.model.name = name
        config.data.crop = ()
    return box_nets.alike(config, smoke)


def row(name: str, out: Path, smoke: bool) -> Mapping[str, object]:
    """What a run of a network found; it is trained where it is not there."""
    config = config_of(name, out, smoke)
    if name == "hypercolumn":
        directory = config.data.objects.cache_dir
        box_nets.propose(config, examples.make_proposal_cache(config, directory))
    return box_nets.row(config, out / name)


def main():
    box_nets.print_rows("Hypercolumn's first steps.", NETS, row)


if __name__ == "__main__":
    main()
