r"""Draw what the decoder of a trained DeconvNet makes of an image, stage by stage.

fcn_jax activations --workdir=runs/stage2 --image=photo.jpg

fcn_jax activations --workdir=DIR --image=FILE [--out=FILE.png] [--step=N]

As figure 4 of Noh et al. 2015: unpooled maps are sparse, deconvolved ones dense, from
coarse to fine. The image is seen as the run's config.inference says: whole, or resized
to the side of its windows.
"""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from fcn_jax.commands.command import Command
from fcn_jax.config import workdir as workdirs
from fcn_jax.data import image_files, transforms
from fcn_jax.models import deconvnet
from fcn_jax.preprocessing import preprocess
from fcn_jax.runs import trained
from fcn_jax.viz import plots


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("workdir", None, "Directory of the run.")
    flags.DEFINE_string("image", None, "The image.")
    flags.DEFINE_string("out", None, "PNG; WORKDIR/activations/IMAGE.png by default.")
    flags.DEFINE_integer("step", None, "Checkpoint; the best by default.")


def run_flags(values: flags.FlagValues) -> None:
    """Draw as the command line says.

    Args:
        values: Of the flags.

    Raises:
        ValueError: If the run is of another net than DeconvNet.
    """
    config = workdirs.config_of_run(values.workdir)
    if config.model.name != "deconvnet":
        raise ValueError(
            f"{values.workdir} is a run of {config.model.name}; there are decoder "
            f"activations of deconvnet only."
        )
    net = trained.TrainedNet(config, values.workdir, values.step)
    image = image_files.read_photo(values.image, upright=True, deep=True)
    if config.inference.method != "whole":
        side = config.inference.side
        image = transforms.resize_image(image, (side, side))
    maps = decoder_maps(net, image)
    name = f"{Path(values.image).stem}.png"
    out = Path(values.out or Path(values.workdir) / "activations" / name)
    plots.plot_activations(image, maps, out)
    print(f"{len(maps)} layers of step {net.checkpoint.step}: {out}")


def decoder_maps(net: trained.TrainedNet, image: np.ndarray) -> dict[str, np.ndarray]:
    """The maps after fc6-deconv, each unpooling and each stage, of one image.

    Args:
        net: A trained DeconvNet.
        image: uint8 RGB [H, W, 3].

    Returns:
        By layer name, coarse to fine, [h, w, C].
    """
    _, found = jax.jit(functools.partial(net.model.apply, mutable=["intermediates"]))(
        net.variables, preprocess(jnp.asarray(image[None]), net.preprocessing)
    )
    names = ["fc6-deconv-relu"]
    for stage, channels in deconvnet.STAGES.items():
        names += [f"unpool{stage}", f"derelu{stage}_{len(channels)}"]
    return {name: np.asarray(found["intermediates"][name][0][0]) for name in names}


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    required={"workdir": "DIR", "image": "FILE"},
    out="file",
)
