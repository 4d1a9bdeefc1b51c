"""The pipeline that feeds the steps: order, augmentation, batches, padding.

Training batch k is a pure function of (seed, k): it does not depend on the number of
threads or on where a run began, so that the step number is all a resumed run needs.
"""

import math
from collections.abc import Generator, Mapping, Sequence

import grain
import numpy as np

from fcn_jax.data import augmentation as augmentations
from fcn_jax.data import (
    checks,
    contracts,
    order,
    regions,
    segments,
    sharing,
    transforms,
)
from fcn_jax.data import rows as rows_of
from fcn_jax.data.augmentation import Augmentation
from fcn_jax.data.batch import Batch, MutableBatch
from fcn_jax.data.contracts import Source
from fcn_jax.data.readers import TWO_THREADS, Readers, read_ahead
from fcn_jax.data.sharing import Share
from fcn_jax.data.weak import planes
from fcn_jax.data.windows import Windows

__all__ = [
    "Augmentation",
    "Readers",
    "Share",
    "Windows",
    "eval_batches",
    "train_batches",
]


def train_batches(
    source: Source,
    *,
    batch_size: int,
    seed: int,
    num_classes: int | Mapping[str, int],
    augmentation: Augmentation | None = None,
    canvas: tuple[int, int] | None = None,
    with_replacement: bool = False,
    start_step: int = 0,
    share: Share = Share(),  # noqa: B008  It is immutable.
    readers: Readers = TWO_THREADS,
) -> Generator[Batch, None, None]:
    """Endless training batches, from `start_step` on.

    Args:
        source: A source of `fcn_jax.data`.
        batch_size: Images of a batch, over all processes.
        seed: Of the order and the augmentation.
        num_classes: For the check of every label.
        augmentation: What may happen to an image; None: nothing.
        canvas: (H, W) that whole images are padded to; None: the largest height and
            width of the source. Not used with a crop.
        with_replacement: Draw every image independently, as the FCN release does,
            instead of shuffling epochs.
        start_step: Batches that were done before.
        share: Which of the processes this is, and how many share the batches.
        readers: Who makes the batches ahead. They make no difference to these, and end
            when the iterator is closed.

    Returns:
        Iterator of dicts, B rows of this process: `image` uint8 RGB [B, H, W, 3],
        `labels` uint8 [B, H, W], `sizes` int32 [B, 2] (true heights and widths; what
        lies beyond is zero and void), `index` int32 [B] (place in the source); of
        examples of boxes and of segments also what `regions.draw` and `segments.draw`
        give; of weak labels `allowed` uint8 [B, H, W, P]; of a `superpixels.Divided`
        `superpixels` int32 [B, H, W].

    Raises:
        ValueError: If an image is larger than the canvas; naming it. The iterator
            raises it if a label is wrong.
    """
    rows = sharing.rows(batch_size, share)
    augmentation = augmentation or Augmentation()
    if augmentation.crop is None:
        canvas = _training_canvas(source, augmentation, canvas)
    ignore_label = contracts.ignore_labels(source)
    channels = contracts.channels_in(source)

    def changed(index: int, rng: np.random.Generator):
        item, left = source[index], augmentation
        where = rows_of.where_of(source, item["id"])
        checks.check_item(item, num_classes, ignore_label, where)
        if "regions" in item:  # Boxes move with their image.
            item, left = regions.moved(item, augmentation, rng, channels)
        if "segments" in item:
            item, left = segments.moved(item, augmentation, rng, channels)
        maps, void = planes.maps_of(item, ignore_label)
        image, maps = augmentations.augment(
            item["image"], maps, left, rng, void, channels
        )
        candidates = item.get("regions") or item.get("segments")
        return image, maps, void, where, candidates

    def load(index: int, rng: np.random.Generator) -> Batch:
        image, maps, void, where, candidates = changed(index, rng)
        if augmentation.class_mix and rng.random() < augmentation.class_mix:
            above, its_maps, *_ = changed(int(rng.integers(len(source))), rng)
            image, maps = augmentations.mix_classes(
                image, maps, (above, its_maps), rng, void
            )
        size = np.array(image.shape[:2], np.int32)
        whole = canvas if augmentation.crop is None else None
        divided = rows_of.superpixels_of(source, image, whole, where)
        if augmentation.crop is None:
            assert canvas is not None  # `_training_canvas` has chosen one.
            image, maps = rows_of.on_canvas(image, maps, canvas, void, where)
        found = {
            "image": image,
            **planes.entries(maps),
            "sizes": size,
            "index": np.int32(index),
            **divided,
        }
        return found | _candidates(candidates, rng, size, image)

    def draw(index: int, rng: np.random.Generator) -> Batch:
        if with_replacement:
            index = order.redrawn(source, index, rng)
        return load(index, rng)

    # Drawn before it is shared out: no two processes draw alike.
    endless = order.endless(source, batch_size, seed, shuffled=not with_replacement)
    drawn = endless.random_map(draw)
    if share.processes == 1:
        return read_ahead(drawn.batch(rows)[start_step:], rows, readers)
    blocks = drawn.batch(rows // share.parts)[share.process :: share.processes]
    batched = blocks.batch(share.parts, batch_fn=sharing.joined)[start_step:]
    return read_ahead(batched, rows, readers)


def _candidates(
    candidates: regions.Candidates | segments.Segments | None,
    rng: np.random.Generator,
    size: np.ndarray,
    image: np.ndarray,
) -> MutableBatch:
    """What a row has of its boxes or segments, drawn for this update."""
    if candidates is None:
        return {}
    if isinstance(candidates, segments.Segments):
        seen = int(size[0]), int(size[1])
        return segments.draw(candidates, rng, seen, (image.shape[0], image.shape[1]))
    return regions.draw(candidates, rng)


def eval_batches(
    source: Source,
    *,
    batch_size: int,
    num_classes: int | Mapping[str, int],
    canvases: Sequence[tuple[int, int]] | None = None,
    worth_a_canvas: float = math.inf,
    scales: Sequence[float] = (1.0,),
    windows: Windows | None = None,
    share: Share = Share(),  # noqa: B008  It is immutable.
    readers: Readers = TWO_THREADS,
) -> Generator[Batch, None, None]:
    """Every image of a source once, at its own resolution.

    Images of mixed sizes are padded to one of a few canvases, for each of which a step
    is compiled. A last batch that is not full is filled up with void. Few
    batches are held at a time, however many images there are.

    Args:
        source: A source of `fcn_jax.data`.
        batch_size: Images of a batch, over all processes.
        num_classes: For the check of every label.
        canvases: (H, W) to pad to; None: one for the images that are wider than high
            and one for the others, as large as these need, and more where that halves
            the pixels of all batches, or saves `worth_a_canvas`.
        worth_a_canvas: Pixels of so many images, as padded, are worth a canvas more.
        scales: Other scales at which the images are wanted too.
        windows: Which boxes of an image are wanted, such as `windows.Tiles`:
            a function (image, id) -> int32 [M, 4] whose `most(canvas)` is the largest
            M; None: none.
        share: Which of the processes this is, and how many share the images.
        readers: As for `train_batches`.

    Returns:
        As `train_batches`, and `id` (list of str), `example_valid` bool [B] (False:
        filled up; `index` is -1) and, for scales other than 1, `image` and `sizes` at
        that scale, named by `fcn_jax.data.batch.scaled_key`; with windows
        `boxes` int32 [B, K, 4] and `num_boxes` int32 [B].

    Raises:
        ValueError: If an image fits no canvas; naming it. The iterator raises it if a
            label is wrong.
    """
    ours = sharing.rows(batch_size, share)
    first = share.process * ours
    # All processes have as many batches of each canvas, or they would not step alike.
    plan = [
        (canvas, members[start : start + batch_size])
        for canvas, members in _group(
            source.image_sizes(), canvases, source, batch_size, worth_a_canvas
        )
        for start in range(0, len(members), batch_size)
    ]

    def make(entry: tuple[tuple[int, int], list[int]]) -> Batch:
        canvas, members = entry
        # A last batch may leave nothing for this process: rows that count nowhere.
        items = {place: source[int(place)] for place in members[first : first + ours]}
        like = next(iter(items.values())) if items else source[int(members[0])]
        empty = rows_of.empty(source, like, canvas, ours, scales, windows)
        return rows_of.fill(empty, source, items, scales, num_classes, windows)

    return read_ahead(grain.MapDataset.source(plan).map(make), ours, readers)


def _training_canvas(
    source: Source, augmentation: Augmentation, canvas: tuple[int, int] | None
) -> tuple[int, int]:
    """The canvas, large enough for every image at the largest scale."""
    factor = augmentation.scale[1] if augmentation.scale else 1.0
    sizes = source.image_sizes()
    if canvas is None:
        height, width = sizes.max(axis=0)
        return transforms.scaled_size((int(height), int(width)), factor)
    for place, (height, width) in enumerate(sizes.tolist()):
        size = transforms.scaled_size((height, width), factor)
        if size[0] > canvas[0] or size[1] > canvas[1]:
            rows_of.check_fits(
                size, canvas, rows_of.where_of(source, source[place]["id"])
            )
    return canvas


def _group(
    sizes: np.ndarray,
    canvases: Sequence[tuple[int, int]] | None,
    source: Source,
    together: int,
    worth: float,
) -> list[tuple[tuple[int, int], list[int]]]:
    """(canvas, places in the source) of each group of images.

    `together` images are in a batch; `worth` as in `_divided`.
    """
    found: list[tuple[int, int]] = []
    if canvases is None:
        wide = sizes[:, 1] > sizes[:, 0]
        masks = [mask for mask in (wide, ~wide) if mask.any()]
        found = [c for mask in masks for c in _divided(sizes[mask], together, worth)]
        # One canvas does where the images are much alike.
        alike = len(masks) == len(found) == 2
        if alike and len(_divided(sizes, together, worth)) == 1:
            found = [_largest(sizes)] if _largest(sizes) in found else found
    else:
        found = [(height, width) for height, width in canvases]
    found = sorted(set(found), key=lambda c: c[0] * c[1])
    groups: dict[tuple[int, int], list[int]] = {canvas: [] for canvas in found}
    for place, (height, width) in enumerate(sizes):
        fitting = [c for c in found if height <= c[0] and width <= c[1]]
        if not fitting:
            where = rows_of.where_of(source, f"image {place}")
            raise ValueError(
                f"{where} is {height}x{width} and fits none of the canvases {found}; "
                f"give larger ones, or None."
            )
        groups[fitting[0]].append(place)
    return [(canvas, members) for canvas, members in groups.items() if members]


def _divided(sizes: np.ndarray, together: int, worth: float) -> list[tuple[int, int]]:
    """The canvases of images: two in place of one where that halves their pixels.

    So that a panorama does not make all other images as large; each canvas is compiled.
    Or where it saves as many pixels as `worth` images of the one canvas have.
    """
    sizes = sizes[np.argsort(sizes.prod(axis=1, dtype=np.int64), kind="stable")]
    small = np.maximum.accumulate(sizes.astype(np.int64)).prod(axis=1)
    large = np.maximum.accumulate(sizes[::-1].astype(np.int64))[::-1].prod(axis=1)
    cuts = np.arange(1, len(sizes))
    batches_of = [-(-n // together) for n in (cuts, len(sizes) - cuts, len(sizes))]
    pixels = batches_of[0] * small[cuts - 1] + batches_of[1] * large[cuts]
    if not len(cuts):
        return [_largest(sizes)]
    fewest, whole = pixels.min(), batches_of[2] * large[0]
    if 2 * fewest > whole and (whole - fewest) * together < worth * large[0]:
        return [_largest(sizes)]
    cut = int(cuts[pixels.argmin()])
    small_ones, large_ones = sizes[:cut], sizes[cut:]
    return [
        *_divided(small_ones, together, worth),
        *_divided(large_ones, together, worth),
    ]


def _largest(sizes: np.ndarray) -> tuple[int, int]:
    """The canvas that holds images of these sizes, int [N, 2]."""
    height, width = sizes.max(axis=0)
    return int(height), int(width)
