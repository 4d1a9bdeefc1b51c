"""Where in an image a classifier sees a class: its scores, cell by cell.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 3.1 and fig. 2.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import VariableDict

from fcn_jax.models.classifier import Classifier
from fcn_jax.preprocessing import Preprocessing, preprocess


class HeatMap(NamedTuple):
    """What a classifier sees in an image.

    Attributes:
        scores: Before the softmax, [h, w, classes] float32.
        stride: Pixels of the image from cell to cell.
        first: Row and column at which the first cell is centred, pixels.
    """

    scores: np.ndarray
    stride: int
    first: float

    def of_class(self, number: int) -> np.ndarray:
        """The probability of a class in every cell, [h, w] float32.

        Args:
            number: Of the class, from 0 on.

        Raises:
            ValueError: If there is no such class.
        """
        check_class(number, self.scores.shape[-1])
        return np.asarray(jax.nn.softmax(self.scores)[..., number])


def check_class(number: int, classes: int) -> None:
    """Refuse the number of no class.

    Args:
        number: Of a class.
        classes: How many there are.

    Raises:
        ValueError: If it is none of them.
    """
    if not 0 <= number < classes:
        raise ValueError(
            f"class {number} is not known; the classifier has {classes} classes, "
            f"numbered 0 to {classes - 1} (ImageNet's: in the order of synset_words)."
        )


def heat_map(
    model: Classifier,
    variables: VariableDict,
    preprocessing: Preprocessing,
    image: np.ndarray,
) -> HeatMap:
    """Ask a classifier about every place of an image at once.

    Args:
        model: The classifier.
        variables: What it takes.
        preprocessing: What it was trained with.
        image: uint8 RGB [H, W, 3]; H, W >= its `side`.

    Raises:
        ValueError: If the image is smaller than what the classifier sees.
    """
    scores = _scores(model, variables, preprocessing, jnp.asarray(image[None]))
    cells = model.cells()
    first = float(-cells.shift / cells.scale)
    return HeatMap(np.asarray(scores[0]), int(1 / cells.scale), first)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _scores(
    model: Classifier,
    variables: VariableDict,
    preprocessing: Preprocessing,
    images: jax.Array,
):
    # On GPUs float32 would else mean TF32: the scores are to be the classifier's.
    with jax.default_matmul_precision("highest"):
        found = model.apply(variables, preprocess(images, preprocessing), train=False)
    assert isinstance(found, jax.Array)
    return found
