"""From segments with a class each to one map: what a CFM net predicts.

Every proposed segment is classified; of each class worse segments that overlap better
ones are left out, and the best of what is left are painted over background, the best on
top. What is painted are the proposed masks themselves, at the image's own resolution.

References:
    Dai, He and Sun 2015, arXiv:1412.1283, sec. 3.3 (by the pasting of SDS).
    Hariharan et al. 2014, arXiv:1407.1808; bharath272/sds_eccv2014, region_nms.m and
    imagelist_to_seg.m.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import VariableDict

from fcn_jax.data import regions as data_regions
from fcn_jax.data import segments, transforms
from fcn_jax.data.batch import Batch, MutableBatch, scaled_key
from fcn_jax.inference import regions
from fcn_jax.models.network import Network
from fcn_jax.ops import pasting
from fcn_jax.preprocessing import CAFFE, Preprocessing, preprocess
from fcn_jax.proposals.candidates import Candidates
from fcn_jax.proposals.projection import (
    Cells,
    has_cells,
    project,
    suited_scale,
    within,
)

Array = jax.Array

NO_REGION = -1  # What the map of regions holds beyond an image.
MAX_IOU = 0.0  # One pixel in common leaves the worse of two of a class out, as in SDS.


@dataclasses.dataclass(frozen=True, eq=False)
class SegmentWindows:
    """The proposed segments of an image, as batches hold them.

    Attributes:
        propose: Function (image, id) -> segments, best first.
        cells: Of the network's last map.
        num: Segments to take, at most.
        scales: At which the network sees images; each segment at the one that suits
            its box (`fcn_jax.proposals.projection.suited_scale`).
        min_side: Least height and width of a segment's box, pixels.
        most_regions: Regions that the segments of an image may tell apart; of an image
            with more the last segments are left out.

    Raises:
        ValueError: If a number is out of its range.
    """

    propose: Callable[[np.ndarray, str], Candidates]
    cells: Cells
    num: int = 2000
    scales: tuple[float, ...] = (1.0,)
    min_side: int = 0
    most_regions: int = 4096

    def __post_init__(self):
        if self.num < 1 or self.min_side < 0 or self.most_regions < 2:
            raise ValueError(
                f"segments: num={self.num}, min_side={self.min_side}, "
                f"most_regions={self.most_regions}; expected at least one segment, a "
                f"side from 0 on, and 2 regions or more."
            )

    def max_windows(self, canvas: tuple[int, int]) -> int:
        """How many segments an image has at most."""
        del canvas
        return self.num

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """The tight boxes of an image's segments, int32 [M, 4].

        Args:
            image: uint8 RGB [H, W, 3].
            name: Its id.

        Raises:
            ValueError: As `of_image`.
        """
        return self.of_image(image, name)["boxes"]

    def empty(self, rows: int, canvas: tuple[int, int]) -> MutableBatch:
        """The entries of images without segments.

        Args:
            rows: Of a batch.
            canvas: That images are padded to.
        """
        found: MutableBatch = {
            "box_scales": np.zeros((rows, self.num), np.int32),
            "member": np.zeros((rows, self.num, self.most_regions), np.uint8),
            "regions": np.full((rows, *canvas), NO_REGION, np.int32),
        }
        for scale in self.scales:
            seen = transforms.scaled_size(canvas, scale)
            size = (self.cells.along(side) for side in seen)
            found[_key("box_masks", scale)] = np.zeros(
                (rows, self.num, *size), np.uint8
            )
        return found

    def of_image(self, image: np.ndarray, name: str) -> MutableBatch:
        """The entries of an image.

        Args:
            image: uint8 RGB [H, W, 3].
            name: Its id.

        Returns:
            `boxes` int32 [M, 4]; `box_scales` int32 [M], numbers of scales; for each
            scale `box_masks` uint8 [M, h, w], named as images are (`scaled_key`), 0
            for segments that are seen at another; `regions` int32 [H, W] and `member`
            uint8 [M, R], of which the masks are made. Segments without a cell are left
            out, and that is said once; an image may have none then, and is background.

        Raises:
            ValueError: If the segments are of another image; naming it.
        """
        found = self.propose(image, name)
        size = (image.shape[0], image.shape[1])
        segments.check_size(found, size, name)
        boxes = found.boxes
        large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= self.min_side
        if large.any():
            found = Candidates(found.regions, found.member[large])
        found = within(found.first(self.num), self.most_regions)
        shorter = min(size)
        sides = [shorter * scale for scale in self.scales]
        suited = suited_scale(found.boxes, shorter, sides)
        masks = [
            self._projected(
                found, suited == number, transforms.scaled_size(size, scale)
            )
            for number, scale in enumerate(self.scales)
        ]
        there = np.any([each.any(axis=(1, 2)) for each in masks], axis=0)
        if not there.all():
            segments.tell_dropped()
        entries: MutableBatch = {
            "boxes": found.boxes[there],
            "box_scales": suited[there],
            "regions": found.regions,
            "member": found.member[there].astype(np.uint8),
        }
        for scale, each in zip(self.scales, masks, strict=True):
            entries[_key("box_masks", scale)] = each[there].astype(np.uint8)
        return entries

    def _projected(
        self, found: Candidates, which: np.ndarray, seen: tuple[int, int]
    ) -> np.ndarray:
        """The cells of some segments; none of others, and of unseen ones: [N, h, w]."""
        size = (self.cells.along(side) for side in seen)
        masks = np.zeros((len(found), *size), bool)
        if which.any():
            own = Candidates(found.regions, found.member[which])
            cells = project(own, self.cells, seen)
            boxes = data_regions.scaled(own.boxes, found.regions.shape, seen)
            seen_at_all = has_cells(cells, boxes, self.cells, seen)
            masks[which] = cells & seen_at_all[:, None, None]
        return masks


def _key(name: str, scale: float) -> str:
    """The entry of a batch at a scale."""
    return name if scale == 1 else scaled_key(name, scale)


class Classified(NamedTuple):
    """The segments of images, classified.

    Attributes:
        scores: log-probability of its class, [N, K] float32.
        classes: The likeliest that is not background, [N, K] int32.
        left: Which there are, after region NMS, [N, K] bool.
        member: Which regions each consists of, [N, K, R] bool.
        regions: Of the pixels, [N, H, W] int32.
    """

    scores: Array
    classes: Array
    left: Array
    member: Array
    regions: Array


def classify(
    variables: VariableDict,
    batch: Batch,
    *,
    model: Network,
    preprocessing: Preprocessing = CAFFE,
    scales: Sequence[float] = (1.0,),
    max_iou: float = MAX_IOU,
) -> Classified:
    """Classify the segments of images.

    Args:
        variables: What `model.apply` takes.
        batch: `image` uint8 RGB [N, H, W, 3], or float32 of other channels; `sizes`
            int32 [N, 2]; what `SegmentWindows` gives, and `num_boxes` int32 [N]; the
            images at every scale too.
        model: A CFM net, `fcn_jax.models.feature_masking`.
        preprocessing: What turns uint8 RGB into the network's input.
        scales: At which the network sees images, those of `SegmentWindows`.
        max_iou: See `pasting.region_nms`.

    Returns:
        The segments, in their order.

    Raises:
        ValueError: If the batch holds no segments.
    """
    if "box_scales" not in batch or "member" not in batch:
        raise ValueError(
            f"{type(model).__name__} classifies segments, and the batch has none, but "
            f"{', '.join(batch)}; make it with `SegmentWindows` "
            f"(config.inference.method='segments')."
        )
    parts = []
    for number, scale in enumerate(scales):
        sizes = batch[_key("sizes", scale)]
        found = model.apply(
            variables,
            preprocess(batch[_key("image", scale)], preprocessing),
            sizes,
            train=False,
            boxes=regions.scaled(batch["boxes"], scale, sizes),
            box_masks=batch[_key("box_masks", scale)],
        )
        assert isinstance(found, Mapping)  # As of any net of boxes that is given some.
        own = (batch["box_scales"] == number)[..., None]
        parts.append(jnp.where(own, found["class_scores"].astype(jnp.float32), 0.0))
    # Each segment is of one scale.
    log_probs = jax.nn.log_softmax(functools.reduce(jnp.add, parts))
    classes = 1 + jnp.argmax(log_probs[..., 1:], axis=-1).astype(jnp.int32)
    scores = jnp.take_along_axis(log_probs, classes[..., None], axis=-1)[..., 0]
    member = batch["member"] > 0

    def of_image(each: tuple[Array, ...]) -> Array:
        scores, classes, member, regions, count = each
        there = jnp.arange(member.shape[0], dtype=count.dtype) < count
        shared = _shared(member & there[:, None], regions)
        return pasting.nms_of_areas(shared, scores, classes, max_iou)

    left = jax.lax.map(
        of_image, (scores, classes, member, batch["regions"], batch["num_boxes"])
    )
    return Classified(scores, classes, left, member, batch["regions"])


def _shared(member: Array, regions: Array) -> Array:
    """The pixels that segments have in common, [K, K] float32."""
    count = member.shape[1]
    numbers = jnp.where(regions >= 0, regions, count).ravel()
    ones = jnp.ones(numbers.shape, jnp.int32)
    sizes = jax.ops.segment_sum(ones, numbers, count + 1)[:count]
    # Whole numbers below 2**24: sums of them are exact in any order.
    held = member.astype(jnp.float32)
    weighted = held * sizes.astype(jnp.float32)[None]
    return jnp.matmul(weighted, held.T, precision=jax.lax.Precision.HIGHEST)


def find(
    variables: VariableDict,
    batch: Batch,
    *,
    model: Network,
    preprocessing: Preprocessing = CAFFE,
    scales: Sequence[float] = (1.0,),
    max_iou: float = MAX_IOU,
) -> regions.Regions:
    """The segments of images as regions, each with its whole mask.

    Args:
        variables: What `model.apply` takes.
        batch: As of `classify`.
        model: As of `classify`.
        preprocessing: As of `classify`.
        scales: As of `classify`.
        max_iou: As of `classify`.

    Returns:
        The regions, in the order of the segments.

    Raises:
        ValueError: As `classify`.
    """
    found = classify(
        variables,
        batch,
        model=model,
        preprocessing=preprocessing,
        scales=scales,
        max_iou=max_iou,
    )
    masks = jax.vmap(_masks)(found.member, found.regions)
    return regions.Regions(masks, found.scores, found.classes, found.left)


def _masks(member: Array, numbers: Array) -> Array:
    """The masks of segments, [K, H, W] bool."""
    held = jax.vmap(lambda own: own[jnp.maximum(numbers, 0)])(member)
    return held & (numbers >= 0)[None]


def scores(
    variables: VariableDict,
    batch: Batch,
    *,
    model: Network,
    preprocessing: Preprocessing = CAFFE,
    scales: Sequence[float] = (1.0,),
    max_iou: float = MAX_IOU,
    background: float = 0.5,
    most: int = regions.MOST,
) -> Array:
    """Class scores of every pixel: the segments that are painted, over background.

    Args:
        variables: What `model.apply` takes.
        batch: As of `classify`.
        model: As of `classify`.
        preprocessing: As of `classify`.
        scales: As of `classify`.
        max_iou: As of `classify`.
        background: Probability of its class above which a segment is painted.
        most: How many segments of an image are painted at most.

    Returns:
        [N, H, W, C] float32; see `pasting.painted_logits`.

    Raises:
        ValueError: As `classify`, or if `background` or `most` is out of range.
    """
    threshold = regions.threshold_of(background, most)
    found = classify(
        variables,
        batch,
        model=model,
        preprocessing=preprocessing,
        scales=scales,
        max_iou=max_iou,
    )
    (num_classes,) = model.heads.values()  # A segment has one class.
    most = min(most, found.scores.shape[1])

    def of_image(each: Classified) -> Array:
        left = pasting.best(each.scores, each.left, threshold, most)
        lowest = jnp.full((), -jnp.inf, each.scores.dtype)
        _, places = jax.lax.top_k(jnp.where(left, each.scores, lowest), most)
        masks = _masks(each.member[places], each.regions)
        owner = pasting.paint(masks, each.scores[places], left[places])
        return pasting.painted_logits(
            owner, each.scores[places], each.classes[places], threshold, num_classes
        )

    return jax.lax.map(of_image, found)
