"""CFM: segments classified by what their masks leave of the last convolution's map.

What makes it that system: the image is seen whole and once, and no pixel of it is ever
masked; each proposed segment's mask is projected to the cells of the last
convolutional map (`fcn_jax.proposals.projection`), multiplied with it there, and pooled
by the bins of a spatial pyramid as boxes are in SPP-net. Design A pools the box and the
masked box, each with fully connected layers of its own, whose outputs are joined before
the classifier; design B masks the finest level of one pyramid alone. The segments
themselves are then pasted, best on top (`fcn_jax.inference.segments`).

The published system scores segments by a linear SVM for each class, trained on the
features (ground-truth segments as positives) when the net is done. Here the softmax by
which the net is fine-tuned is the classifier too; nor are pasted segments refined.

References:
    Dai, He and Sun 2015, "Convolutional feature masking for joint object and stuff
    segmentation", arXiv:1412.1283, sec. 3 (layer, designs) and 4 (training).
    He, Zhang, Ren and Sun 2014, arXiv:1406.4729; ShaoqingRen/SPP_net,
    Zeiler_conv5.prototxt (the net under it, its pyramid and geometry).
"""

from collections.abc import Mapping
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.models import inputs, layers
from fcn_jax.models.encoders import VGG16, ZF5, Encoder, VGG16Convolutions, vgg
from fcn_jax.models.network import Network
from fcn_jax.ops import feature_masking

Array = jax.Array

VGG_LEVELS = (7,)  # VGG-16's pool5 is one level, as its fc6 wants it.
ZF_LEVELS = (1, 2, 3, 6)  # Zeiler_conv5.prototxt: 50 bins.
SEGMENT = "_segment"  # Behind the names of layers that see segments.
_DEVIATION = 0.01  # Of the classifier at the start.


class CFM(Network):
    """Design A: a box and the segment in it, on two paths joined before the classifier.

    Class 0 is background. Layers: those of the encoder's convolutions; fc6 and fc7 of
    the box; `fc6_segment` and `fc7_segment`; and `cls_score`.

    References:
        Dai, He and Sun 2015, arXiv:1412.1283, fig. 2 and sec. 3.2.
    """

    encoder_forms: ClassVar[Mapping[type[Encoder], type[Encoder]]] = {
        VGG16: VGG16Convolutions
    }
    encoder_fixed: ClassVar[Mapping[str, object]] = vgg.CONVOLUTIONS_FIXED
    twins: ClassVar[Mapping[str, str]] = {
        f"{layer}{SEGMENT}": layer for layer in ("fc6", "fc7")
    }

    # Bins in each direction of each level; (): those of the encoder's published net.
    levels: tuple[int, ...] = ()
    # Pixels by which a box's edges are moved inwards before its cells are looked for.
    inwards: float = feature_masking.INWARDS

    @property
    def pyramid(self) -> tuple[int, ...]:
        """Bins in each direction, a number for each level."""
        if self.levels:
            return self.levels
        return ZF_LEVELS if isinstance(self.encoder, ZF5) else VGG_LEVELS

    def geometry(self) -> tuple[float, float]:
        """The centre of the last map's first cell, and from one to the next, pixels."""
        centres = self.encoder.coordinate_maps()[self.encoder.top].inverse()
        return float(centres.shift), float(centres.scale)

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        train: bool = False,
        example_ids: Array | None = None,
        boxes: Array | None = None,
        box_labels: Array | None = None,
        box_masks: Array | None = None,
    ) -> Array | dict[str, Array]:
        """Classify segments.

        Args:
            images: Preprocessed images, [N, H, W, channels] floating point.
            sizes: True (height, width) of every example, [N, 2] integer, where images
                were padded at the bottom and right to one shape; None where they fill
                it.
            train: Whether dropout drops and BatchNorm uses the statistics of the batch.
            example_ids: Numbers that choose the dropout of every example, [N] integer;
                None: 0 .. N-1.
            boxes: Tight boxes of the segments, (row0, col0, row1, col1), end excluded,
                in pixels of the images, [N, M, 4] integer; None: all of each image.
            box_labels: Of no use here.
            box_masks: Which cells of the last map belong to each segment, [N, M, h, w]
                bool or integer; None: all.

        Returns:
            With boxes `class_scores`, [N, M, num_classes] float32. Without: logits,
            [N, H, W, num_classes] float32, of the one segment that each image is.

        Raises:
            TypeError: If images are not floating point, or sizes or boxes not integer.
            ValueError: If images are not [N, H, W, channels], or sizes, boxes or masks
                do not fit them.
        """
        del box_labels
        inputs.check_images(images, self.channels)
        sizes = inputs.check_sizes(sizes, images)
        features = self.encoder(images, sizes, train=train, example_ids=example_ids)
        top = features.maps[self.encoder.top]
        extents = _known(features.sizes[self.encoder.top], top)
        given = boxes
        if boxes is None:
            ends = _known(sizes, images)[:, None]
            boxes = jnp.concatenate([jnp.zeros_like(ends), ends], axis=-1)
        check_segments(boxes, box_masks, images.shape, top.shape)
        if box_masks is None:
            box_masks = jnp.ones((*boxes.shape[:2], *top.shape[1:3]), bool)
        pooled = _pooled(self, top, boxes, extents, box_masks.astype(bool))
        count, most = boxes.shape[:2]
        ids = _ids_of_boxes(example_ids, count, most)
        found = [_fc7(self, x, ids, path, train) for path, x in pooled.items()]
        scores = layers.Score(
            self.heads[""],
            param_dtype=self.encoder.param_dtype,
            kernel_init=nn.initializers.normal(_DEVIATION),
            name="cls_score",
        )(jnp.concatenate(found, axis=-1))
        scores = scores.reshape(count, most, -1)
        if given is not None:
            return {"class_scores": scores}
        shape = (*images.shape[:3], scores.shape[-1])
        return jnp.broadcast_to(scores[:, None].astype(jnp.float32), shape)

    def seen(self, x: Array, cells: Array, masks: Array) -> dict[str, list[Array]]:
        """What each path sees of the segments of an image.

        Args:
            x: The last map, [h, w, C].
            cells: Of the boxes, [M, 4] integer.
            masks: [M, h, w] bool.

        Returns:
            By path, [M, n, n, C] for each level.
        """
        return {
            "": feature_masking.pyramid_pool(x, cells, self.pyramid),
            SEGMENT: feature_masking.pyramid_pool(x, cells, self.pyramid, masks),
        }

    def check_options(self) -> None:
        """Refuse options that make no such net.

        Raises:
            TypeError: If the encoder is another than VGG-16 or ZF-5.
            ValueError: Naming the option.
        """
        if not isinstance(self.encoder, VGG16Convolutions | ZF5):
            raise TypeError(
                f"{type(self).__name__}: the encoder {type(self.encoder).__name__} "
                f"does not end with its last convolution; pass a VGG16Convolutions or "
                f"a ZF5 (encoder='vgg16' or 'zf5')."
            )
        if isinstance(self.num_classes, Mapping):
            raise ValueError(
                f"{type(self).__name__}: num_classes={dict(self.num_classes)} has "
                f"several heads; a segment has one class: pass a number."
            )
        if self.levels and min(self.levels) < 1:
            raise ValueError(
                f"levels={tuple(self.levels)}: a level of a pyramid has at least one "
                f"bin in each direction."
            )


class CFMDesignB(CFM):
    """Design B: one path, and of its pyramid the finest level sees the segment alone.

    References:
        Dai, He and Sun 2015, arXiv:1412.1283, fig. 3 and sec. 3.2.
    """

    default_encoder: ClassVar[str] = "zf5"
    twins: ClassVar[Mapping[str, str]] = {}

    def seen(self, x: Array, cells: Array, masks: Array) -> dict[str, list[Array]]:
        """What the path sees of the segments of an image.

        Args:
            x: The last map, [h, w, C].
            cells: Of the boxes, [M, 4] integer.
            masks: [M, h, w] bool.

        Returns:
            By path, [M, n, n, C] for each level.
        """
        finest = max(self.pyramid)
        rest = [level for level in self.pyramid if level != finest]
        boxes = dict(
            zip(rest, feature_masking.pyramid_pool(x, cells, rest), strict=True)
        )
        (masked,) = feature_masking.pyramid_pool(x, cells, (finest,), masks)
        return {"": [boxes.get(level, masked) for level in self.pyramid]}

    def check_options(self) -> None:
        """Refuse options that make no such net.

        Raises:
            TypeError: As design A.
            ValueError: As design A, and if there is one level alone, all of which
                would be masked.
        """
        super().check_options()
        if len(set(self.pyramid)) < 2 or len(set(self.pyramid)) != len(self.pyramid):
            raise ValueError(
                f"levels={self.pyramid}: design B masks the finest of several levels, "
                f"and sees the box in the others; give two or more, each once (ZF-5: "
                f"{ZF_LEVELS}), or take design A (model 'cfm')."
            )


def check_segments(
    boxes: Array,
    masks: Array | None,
    shape: tuple[int, ...],
    top: tuple[int, ...],
) -> None:
    """Refuse segments that do not belong to a batch of images.

    Args:
        boxes: Said to be [N, M, 4] integer.
        masks: Said to be [N, M, h, w].
        shape: Of the images.
        top: Of their last map, [N, h, w, C].

    Raises:
        TypeError: If boxes are not integers.
        ValueError: If a shape is another.
    """
    if not jnp.issubdtype(boxes.dtype, jnp.integer):
        raise TypeError(f"boxes are {boxes.dtype}; expected integers, whole pixels.")
    if boxes.ndim != 3 or boxes.shape[::2] != (shape[0], 4) or not boxes.shape[1]:
        raise ValueError(
            f"boxes have shape {tuple(boxes.shape)}; for images of shape "
            f"{tuple(shape)} expected [{shape[0]}, M, 4] with M >= 1, a row (row0, "
            f"col0, row1, col1) a box."
        )
    expected = (*boxes.shape[:2], *top[1:3])
    if masks is not None and masks.shape != expected:
        raise ValueError(
            f"box_masks have shape {tuple(masks.shape)}; for {boxes.shape[1]} boxes an "
            f"image and a last map of {top[1]}x{top[2]} cells expected {expected}: "
            f"project them to this encoder's cells (fcn_jax.proposals.projection)."
        )


def _ids_of_boxes(example_ids: Array | None, count: int, most: int) -> Array:
    """A number for each segment that chooses its dropout, [N * M]."""
    if example_ids is None:
        example_ids = jnp.arange(count, dtype=jnp.int32)
    row = jnp.arange(most, dtype=example_ids.dtype)[None]
    return (example_ids[:, None] * most + row).reshape(-1)


def _known(sizes: Array | None, maps: Array) -> Array:
    """The extents of maps, [N, 2]: theirs, or all of them."""
    if sizes is not None:
        return sizes
    whole = jnp.asarray(maps.shape[1:3], jnp.int32)
    return jnp.broadcast_to(whole[None], (maps.shape[0], 2))


def _pooled(
    net: CFM, top: Array, boxes: Array, extents: Array, masks: Array
) -> dict[str, list[Array]]:
    """What each path sees: [N * M, n, n, C] for each level."""
    first, stride = net.geometry()

    def of_image(each: tuple[Array, ...]) -> dict[str, list[Array]]:
        x, own, extent, mask = each
        cells = feature_masking.cells_of_boxes(
            own, extent, first=first, stride=stride, inwards=net.inwards
        )
        return net.seen(x, cells, mask)

    found = jax.lax.map(of_image, (top, boxes, extents, masks))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)


def _fc7(net: CFM, pooled: list[Array], ids: Array, path: str, train: bool) -> Array:
    """fc7 of a path, [N * M, 1, 1, F]; its layers are the net's."""
    encoder = net.encoder
    assert isinstance(encoder, VGG16 | ZF5)  # As `check_options` holds.
    features = layers.scaled(encoder.fc_features, encoder.width)
    x, kernel_size = pooled[0], net.pyramid[0]
    if len(pooled) > 1:
        x, kernel_size = feature_masking.flattened(pooled)[:, None, None], 1
    for number, side in ((6, kernel_size), (7, 1)):
        name = f"fc{number}{path}"
        x = layers.Conv(features, side, param_dtype=encoder.param_dtype, name=name)(x)
        x = layers.Dropout(encoder.dropout_rate, name=f"drop{number}{path}")(
            nn.relu(x), ids, train=train
        )
    return x
