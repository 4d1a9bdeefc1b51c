r"""Draw where in a photograph a classifier sees a class (figure 2 of Long et al. 2015).

fcn_jax heatmap --weights=VGG_ILSVRC_16_layers.caffemodel --class=281 cat.jpg \
    --out=cat.png
fcn_jax heatmap --weights=bvlc_googlenet --class=281 cat.jpg --out=cat.png --size=640
fcn_jax heatmap --weights=alexnet.npz --net=caffenet --class=0 cat.jpg --out=cat.png

The classifier, VGG-16, AlexNet, CaffeNet or GoogLeNet with its last layer, is told by
its file (of a .npz of AlexNet say --net). Its fully connected layers are made
convolutions, so that one pass over the photo gives what it says of every window of
224x224 pixels (AlexNet 227x227), 32 pixels apart. Drawn is the probability of the
class, --class=N being its number, from 0 on, in the order of the file's last layer.
A larger photo, or a larger --size, gives a finer map.

--weights is a file of any format that convert reads, or the name of one that
fcn_jax fetch got.
"""

from collections.abc import Sequence

import numpy as np
from absl import flags

from fcn_jax.commands.command import Command
from fcn_jax.data import image_files, transforms
from fcn_jax.inference import heat
from fcn_jax.models.classifier import KINDS
from fcn_jax.viz import labels
from fcn_jax.viz.heat import draw_heat
from fcn_jax.weights import classifiers, fetching
from fcn_jax.weights.classifiers import INPUTS

_USAGE = "usage: fcn_jax heatmap --weights=FILE --class=N PHOTO --out=PNG"


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("weights", None, "The classifier: a file, or a fetched name.")
    flags.DEFINE_integer("class", None, "Number of the class, from 0 on.")
    flags.DEFINE_string("out", None, "PNG to write.")
    flags.DEFINE_enum("net", "", ["", *KINDS], "Which classifier; told by the file.")
    flags.DEFINE_string(
        "inputs", "", f"What it was given: {', '.join(INPUTS)}; told by the file."
    )
    flags.DEFINE_integer("size", 0, "Shorter side that it sees; 0: the photo's.")


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There must be weights, a class, a photo and --out.

    Args:
        values: Of the flags.
        operands: The photo.

    Raises:
        flags.Error: If one is missing, or there are several photos.
        ValueError: If --inputs are no photos.
    """
    for name in ("weights", "class", "out"):
        if values[name].value in (None, ""):
            raise flags.Error(f"--{name} is missing; {_USAGE}")
    if len(operands) != 1:
        raise flags.Error(f"{len(operands)} photos are given; {_USAGE}")
    if values.size < 0:
        raise flags.Error(f"--size={values.size} is negative; 0 takes the photo's own")
    if values.inputs:
        classifiers.check_inputs(values.inputs)


def run_flags(values: flags.FlagValues, photo: str) -> None:
    """Draw as the command line says.

    Args:
        values: Of the flags.
        photo: The photograph.
    """
    image = image_files.read_photo(photo, upright=True, deep=True)
    if values.size:
        image = _with_shorter_side(image, values.size)
    path, inputs = fetching.start_of(values.weights, "--weights")
    found = classifiers.load_classifier(path, values.net, values.inputs or inputs)
    number = int(values["class"].value or 0)  # `check_flags` has seen to it.
    heat.check_class(number, found.model.heads[""])
    seen = found.heat_map(image)
    probability = seen.of_class(number)
    title = f"{found.kind}: probability of class {number}"
    picture = draw_heat(image, probability, seen.stride, seen.first, title)
    labels.save_image(values.out, picture)
    height, width = probability.shape
    best = np.unravel_index(probability.argmax(), probability.shape)
    row, column = (round(seen.first + seen.stride * int(i)) for i in best)
    first = (seen.scores.argmax(-1) == number).mean()
    print(
        f"{found.kind}: {height}x{width} cells; class {number} has "
        f"{probability.max():.3g} at most, around row {row}, column {column}, and is "
        f"first in {first:.0%} of them: {values.out}"
    )


def _with_shorter_side(image: np.ndarray, side: int) -> np.ndarray:
    height, width = image.shape[:2]
    factor = side / min(height, width)
    size = (max(side, round(height * factor)), max(side, round(width * factor)))
    return transforms.resize_image(image, size)


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
    memory="pass a smaller --size",
    out="file",
)
