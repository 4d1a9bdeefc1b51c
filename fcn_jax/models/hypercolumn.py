"""Hypercolumn: a figure-ground mask for each box, from several layers at once.

What makes it that system: a pixel of a box is described by the units of several layers
above it (pool3, pool4 and fc7 of the box), and classified by classifiers that belong
to a place in the box, a grid of 5x5 of them, whose probabilities are mixed in between.
Applied to the layers one by one, upsampled to the window of the box and added, the
classifiers are those of the stacked layers, by linearity, at a fraction of the work.

The published nets took boxes and their scores from R-CNN and its heirs. Here a box is
classified by the net itself, as in Fast R-CNN: maxima of conv5_3 in 7x7 bins, fc6, fc7
and `cls_score`; the third layer of the hypercolumn, fc7, is there anyway. What boxes
there are is the caller's affair (`fcn_jax.proposals`), and masks are pasted into one
map by `fcn_jax.inference.regions`.

References:
    Hariharan, Arbelaez, Girshick and Malik 2015, arXiv:1411.5752, sec. 3 and 4;
    bharath272/sds, model_defs/hypercolumn_train_pydata.prototxt (layers and scales of
    the authors' own net on VGG-16);
    Girshick 2015, arXiv:1504.08083 (Fast R-CNN).
"""

import functools
from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.models import inputs, layers
from fcn_jax.models.encoders import VGG16, Encoder, VGG16Convolutions, vgg
from fcn_jax.models.network import Network
from fcn_jax.ops import location_grid, pasting, roi

Array = jax.Array

LAYERS = ("pool3", "pool4")  # Maps that are seen beside fc7.
# Factors on them, without which pool3 would drown the others.
LAYER_SCALES = (0.0027, 0.063)
ROI_SIZE = 7  # Bins of a box in each direction, as fc6 wants them.
# Of a box's sides for its window: 16 of 227 pixels on each side are context in the
# authors' first system (bharath272/sds_eccv2014, expand_box.m).
EXTENSION = 227 / 195
_DEVIATION = 0.01  # Of new layers at the start, as in the prototxt.
# From here on a pixel is of the object (bharath272/sds, test_hypercolumns.py).
FOREGROUND = 0.4


class Hypercolumn(Network):
    """The authors' VGG-16 net: pool3, pool4 and fc7 of the box, a grid of classifiers.

    Class 0 is background. Layers: those of VGG-16; `cls_score`, which classifies boxes;
    and `hyper_pool3`, `hyper_pool4` and `hyper_fc7`, each of (classes - 1) x K x K
    channels, the cells of a class together.

    References:
        Hariharan et al. 2015, arXiv:1411.5752.
    """

    encoder_forms: ClassVar[Mapping[type[Encoder], type[Encoder]]] = {
        VGG16: VGG16Convolutions
    }
    encoder_fixed: ClassVar[Mapping[str, object]] = vgg.CONVOLUTIONS_FIXED

    grid: int = 5  # Classifiers of a class in each direction of a window, K.
    side: int = 50  # Of a window, pixels.
    extension: float = EXTENSION  # Factor on the sides of a box for its window.
    layer_scales: tuple[float, ...] = LAYER_SCALES  # Factors on pool3 and pool4.

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        train: bool = False,
        example_ids: Array | None = None,
        boxes: Array | None = None,
        box_labels: Array | None = None,
    ) -> Array | dict[str, Array]:
        """Classify boxes, and tell object from ground in each.

        Args:
            images: Preprocessed images, [N, H, W, channels] floating point; H, W >= 1.
            sizes: True (height, width) of every example, [N, 2] integer, where images
                were padded at the bottom and right to one shape; None where they fill
                it.
            train: Whether dropout drops and BatchNorm uses the statistics of the batch.
            example_ids: Numbers that choose the dropout of every example, [N] integer;
                None: 0 .. N-1.
            boxes: (row0, col0, row1, col1), end excluded, in pixels of the images,
                [N, M, 4] integer; None: all of each image.
            box_labels: The class of which each box's mask is wanted, [N, M] integer;
                None: the likeliest that is not background.

        Returns:
            With boxes `class_scores`, [N, M, num_classes]; `mask_logits`, of being
            the object's, [N, M, side, side]; `box_labels`, [N, M] int32; and `windows`,
            which the masks cover, [N, M, 4]. Without: logits, [N, H, W, num_classes]
            float32, of the one box that each image then is, pasted.

        Raises:
            TypeError: If images are not floating point, or sizes or boxes not integer.
            ValueError: If images are not [N, H, W, channels], or sizes or boxes do not
                fit them.
        """
        inputs.check_images(images, self.channels)
        sizes = inputs.check_sizes(sizes, images)
        features = self.encoder(images, sizes, train=train, example_ids=example_ids)
        if sizes is None:
            whole = jnp.asarray(images.shape[1:3], jnp.int32)
            sizes = jnp.broadcast_to(whole[None], (images.shape[0], 2))
        given = boxes
        if boxes is None:
            zeros = jnp.zeros((images.shape[0], 1, 2), jnp.int32)
            boxes = jnp.concatenate([zeros, sizes[:, None]], axis=-1)
        _check_boxes(boxes, box_labels, images.shape)
        boxes = boxes.astype(jnp.int32)
        # What a map has beyond an image's own cells is never seen by a box.
        cells = {n: -(-sizes // _stride(self, n)) for n in (*LAYERS, self.encoder.top)}
        top = self.encoder.top
        fc7 = _fc7(self, features.maps[top], boxes, cells[top], example_ids, train)
        class_scores = _score(self, "cls_score", self.heads[""])(fc7)[:, :, 0]
        if box_labels is None:
            box_labels = 1 + jnp.argmax(class_scores[..., 1:], axis=-1)
        box_labels = box_labels.astype(jnp.int32)
        windows = roi.widened(boxes, self.extension, sizes)
        found = _of_boxes(self, features.maps, fc7, windows, box_labels, cells)
        mask_logits = location_grid.mixed_logits(found)
        if given is None:
            height, width = images.shape[1:3]
            return _pasted(
                class_scores[:, 0], mask_logits[:, 0], windows[:, 0], (height, width)
            )
        return {
            "class_scores": class_scores,
            "mask_logits": mask_logits,
            "box_labels": box_labels,
            "windows": windows,
        }

    def check_options(self) -> None:
        """Refuse options that make no such net.

        Raises:
            TypeError: If the encoder is another than VGG-16.
            ValueError: Naming the option.
        """
        _check_options(self)


def _check_options(net: Hypercolumn) -> None:
    """See `Hypercolumn.check_options`."""
    if not isinstance(net.encoder, VGG16Convolutions):
        raise TypeError(
            f"{type(net).__name__}: the encoder {type(net.encoder).__name__} is "
            f"none whose pool3, pool4 and conv5_3 are seen; pass a "
            f"VGG16Convolutions (encoder='vgg16')."
        )
    if isinstance(net.num_classes, Mapping):
        raise ValueError(
            f"{type(net).__name__}: num_classes={dict(net.num_classes)} has "
            f"several heads; a box has one class: pass a number."
        )
    location_grid.check_grid(net.grid, net.side)
    if not net.extension >= 1:
        raise ValueError(
            f"extension={net.extension} shrinks boxes; give a factor >= 1."
        )
    if len(net.layer_scales) != len(LAYERS):
        raise ValueError(
            f"layer_scales={tuple(net.layer_scales)} has "
            f"{len(net.layer_scales)} factors; give one for each of "
            f"{', '.join(LAYERS)}."
        )


def _fc7(
    net: Hypercolumn,
    top: Array,
    boxes: Array,
    cells: Array,
    example_ids: Array | None,
    train: bool,
) -> Array:
    """fc7 of boxes, [N, M, 1, F]."""
    count, most = boxes.shape[:2]
    pool = functools.partial(roi.roi_pool, stride=net.encoder.stride, size=ROI_SIZE)
    x = jax.lax.map(
        lambda each: pool(each[0], each[1], extent=each[2]), (top, boxes, cells)
    )
    x = x.reshape(count * most, *x.shape[2:])
    if example_ids is None:
        example_ids = jnp.arange(count, dtype=jnp.int32)
    row = jnp.arange(most, dtype=example_ids.dtype)[None]
    box_ids = (example_ids[:, None] * most + row).reshape(-1)
    encoder = net.encoder
    assert isinstance(encoder, VGG16)  # As `check_options` holds.
    features = layers.scaled(encoder.fc_features, encoder.width)
    for name, kernel_size in (("fc6", ROI_SIZE), ("fc7", 1)):
        x = layers.Conv(
            features, kernel_size, param_dtype=encoder.param_dtype, name=name
        )(x)
        x = layers.Dropout(encoder.dropout_rate, name=f"drop{name[-1]}")(
            nn.relu(x), box_ids, train=train
        )
    return x.reshape(count, most, 1, features)


def _of_boxes(
    net: Hypercolumn,
    maps: Mapping[str, Array],
    fc7: Array,
    windows: Array,
    box_labels: Array,
    cells: Mapping[str, Array],
) -> Array:
    """What the cells of each box's class score, [N, M, side, side, K K]."""
    channels = (net.heads[""] - 1) * net.grid**2
    pool3, pool4 = (maps[name] for name in LAYERS)
    first, second = net.layer_scales
    wide = layers.at_least_float32(pool3.dtype)
    scored = {
        "pool3": layers.Conv(
            channels,
            kernel_size=3,
            pad=1,
            param_dtype=net.encoder.param_dtype,
            kernel_init=nn.initializers.normal(_DEVIATION),
            precision=jax.lax.Precision.HIGHEST,
            name="hyper_pool3",
        )(pool3.astype(wide) * first),
        "pool4": _score(net, "hyper_pool4", channels)(pool4, second),
    }
    of_box = _score(net, "hyper_fc7", channels)(fc7)[:, :, 0]  # [N, M, channels]
    place = jnp.maximum(box_labels - 1, 0)

    def of_image(each: dict[str, Array]) -> Array:
        own = jax.vmap(lambda box, label: box[label])(each["fc7"], each["place"])
        total = own[:, None, None]
        for name in LAYERS:
            upsampled = roi.box_upsample(
                jnp.moveaxis(each[name], 2, 0)[each["place"]],
                each["windows"],
                _stride(net, name),
                net.side,
                each[f"{name}_cells"],
            )
            total = total + upsampled
        return total

    def by_class(x: Array) -> Array:
        return x.reshape(*x.shape[:-1], -1, net.grid**2)

    own_cells = {f"{name}_cells": cells[name] for name in LAYERS}
    listed = {name: by_class(x) for name, x in (scored | {"fc7": of_box}).items()}
    return jax.lax.map(
        of_image, listed | own_cells | {"place": place, "windows": windows}
    )


def _score(net: Hypercolumn, name: str, count: int) -> layers.Score:
    return layers.Score(
        count,
        param_dtype=net.encoder.param_dtype,
        kernel_init=nn.initializers.normal(_DEVIATION),
        name=name,
    )


def _stride(net: Hypercolumn, name: str) -> int:
    """Image pixels per cell of a map."""
    return int(1 / Fraction(net.encoder.coordinate_maps()[name].scale))


def _pasted(
    class_scores: Array,
    mask_logits: Array,
    windows: Array,
    shape: tuple[int, int],
) -> Array:
    """The logits of images that are one box each, [N, H, W, C]."""
    log_probs = jax.nn.log_softmax(class_scores.astype(jnp.float32))
    mask = jax.nn.sigmoid(mask_logits) >= FOREGROUND

    def of_image(each: tuple[Array, Array, Array]) -> Array:
        probs, mask, window = each
        inside = pasting.place_masks(mask[None], window[None], shape)[0]
        bare = jnp.where(jnp.arange(probs.shape[0]) == 0, 0.0, -pasting.MARGIN)
        return jnp.where(inside[..., None], probs[None, None], bare[None, None]).astype(
            jnp.float32
        )

    return jax.lax.map(of_image, (log_probs, mask, windows))


def _check_boxes(
    boxes: Array, box_labels: Array | None, shape: tuple[int, ...]
) -> None:
    if not jnp.issubdtype(boxes.dtype, jnp.integer):
        raise TypeError(f"boxes are {boxes.dtype}; expected integers, whole pixels.")
    if boxes.ndim != 3 or boxes.shape[::2] != (shape[0], 4) or not boxes.shape[1]:
        raise ValueError(
            f"boxes have shape {tuple(boxes.shape)}; for images of shape "
            f"{tuple(shape)} expected [{shape[0]}, M, 4] with M >= 1, a row (row0, "
            f"col0, row1, col1) a box."
        )
    if box_labels is not None and box_labels.shape != boxes.shape[:2]:
        raise ValueError(
            f"box_labels have shape {tuple(box_labels.shape)} for boxes of "
            f"{tuple(boxes.shape)}; expected one class a box, {boxes.shape[:2]}."
        )
