"""From a config to the loss of a run."""

import math
from collections.abc import Callable, Mapping, Sequence

from fcn_jax import messages
from fcn_jax.config import build, families, sampling, superpixels, weak
from fcn_jax.config.types import Config
from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.training import overlaps
from fcn_jax.training.box_losses import BoxClasses, BoxMasks
from fcn_jax.training.estimated import Estimated
from fcn_jax.training.focal import Focal
from fcn_jax.training.losses import (
    REDUCTIONS,
    CrossEntropy,
    Loss,
    LossOptions,
    WeightedSum,
)
from fcn_jax.training.lovasz import Lovasz
from fcn_jax.training.overlaps import Dice, Tversky
from fcn_jax.training.superpixels import SuperpixelCrossEntropy

# Each makes a loss of its options.
LOSSES: dict[str, Callable[[LossOptions], Loss]] = {
    "cross_entropy": CrossEntropy,
    "focal": Focal,
    "dice": Dice,
    "tversky": Tversky,
    "lovasz": Lovasz,
    "box_masks": BoxMasks,
    "box_classes": BoxClasses,
    "superpixel_cross_entropy": SuperpixelCrossEntropy,
}
# These see boxes, and no map.
OF_BOXES = ("box_masks", "box_classes")
_STAGES = {"hypercolumn": "regions", "cfm": "segments"}  # Of networks of boxes.
_SOME_PIXELS = ("label_shrink", "pixel_probability", "weigh_by")
# Of these there is no sum over pixels: they compare regions.
OF_REGIONS = ("dice", "tversky", "lovasz")
# Keys that some losses look at, and no other.
_OF_SOME = {
    "focal_gamma": ("focal",),
    "tversky": ("tversky",),
    "per_image": OF_REGIONS,
}


def make_loss(
    config: Config,
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
    class_weights: tuple[float, ...] = (),
    axis_name: str | None = None,
) -> Loss:
    """The loss that `config.loss` describes.

    Args:
        config: See `fcn_jax.config.base`.
        ignore_label: The void label of the source; by head where there are several.
        class_weights: Of the source, where `config.loss.balance` asks for them.
        axis_name: Of the mapped axis of the devices that share a batch; None: none.

    Raises:
        ValueError: If the loss is unknown, one of its numbers has no sense, or there is
            not a weight for each class, or there are weights and several heads.
    """
    settings = config.loss
    terms = terms_of(settings.get("name", "cross_entropy"))  # Older runs lack it.
    check_loss(config)
    if settings.class_weights:
        build.check_one_head(config, "config.loss.class_weights")
    if settings.class_weights and len(settings.class_weights) != (
        config.model.num_classes
    ):
        raise ValueError(
            f"config.loss.class_weights has {len(settings.class_weights)} entries for "
            f"{config.model.num_classes} classes; give one a class, or () for none."
        )
    known = LossOptions()  # Of keys that older runs lack.
    step = weak.e_step(config)
    shrink = settings.get("label_shrink", known.label_shrink)
    options = LossOptions(
        reduction=settings.reduction,
        class_weights=class_weights or tuple(settings.class_weights) or None,
        weigh_by=settings.get("weigh_by", known.weigh_by),
        pixel_probability=settings.pixel_probability,
        stride=settings.get("pixel_stride", 0) or 1,
        larger_batch=settings.get("larger_batch", known.larger_batch),
        label_shrink=1 if step else shrink,
        ignore_label=ignore_label,
        focal_gamma=settings.get("focal_gamma", known.focal_gamma),
        tversky=tuple(settings.get("tversky", known.tversky)),
        per_image=settings.get("per_image", known.per_image),
        superpixels=_room(config),
        axis_name=axis_name,
    )
    made = tuple((weight, LOSSES[name](options)) for name, weight in terms.items())
    loss = made[0][1] if [*terms.values()] == [1] else WeightedSum(made)
    return loss if step is None else Estimated(loss, step, shrink)


def _room(config: Config) -> int:
    """Superpixels that an image may have; 0: the network looks at none."""
    divide = superpixels.make_superpixels(config)
    return 0 if divide is None else divide.limit


def terms_of(text: str) -> dict[str, float]:
    """The losses of a weighted sum, with their weights.

    Args:
        text: Such as "cross_entropy", or "cross_entropy+0.5*dice".

    Returns:
        Weight of each, by name, in their order.

    Raises:
        ValueError: If one is unknown or there twice, or a weight is not positive.
    """
    found: dict[str, float] = {}
    for term in text.split("+"):
        factor, times, name = term.rpartition("*")
        name = name.strip()
        if name not in LOSSES:
            of = "" if text == name else f"{name!r} of "
            hint = messages.suggestion(name, LOSSES)
            raise ValueError(
                f"{of}config.loss.name={text!r} is not known; {hint}{hint and ' '}"
                f"choose one of {', '.join(LOSSES)}, or a sum such as "
                f"cross_entropy+0.5*dice."
            )
        if name in found:
            raise ValueError(
                f"config.loss.name={text!r} has {name} twice; give it one weight."
            )
        found[name] = _weight(factor, text) if times else 1.0
    return found


def _weight(factor: str, text: str) -> float:
    """The weight of a term."""
    try:
        weight = float(factor)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise ValueError(
            f"config.loss.name={text!r} has the weight {factor.strip()!r}; weights are "
            f"positive numbers, as in cross_entropy+0.5*dice."
        )
    return weight


def check_loss(config: Config) -> None:
    """Refuse a loss whose parts do not fit together, or that has no sense.

    Args:
        config: See `fcn_jax.config.base`.

    Raises:
        ValueError: Naming the key.
    """
    settings = config.loss
    names = terms_of(settings.get("name", "cross_entropy"))
    if settings.reduction not in REDUCTIONS:
        raise ValueError(
            f"config.loss.reduction={settings.reduction!r} is not known; use one of "
            f"{', '.join(REDUCTIONS)}."
        )
    weights = tuple(settings.class_weights)
    if not all(isinstance(weight, int | float) for weight in weights):
        shown = weights[0] if len(weights) == 1 else weights
        raise ValueError(
            f"config.loss.class_weights={shown!r} is no list of numbers, one a class; "
            f"weights that are computed from the masks are "
            f"config.loss.balance='median_frequency'."
        )
    sampling.check_sampling(config)
    _check_boxes(config, list(names))
    weak.check_weak_labels(config)
    known = LossOptions()  # Of keys that older runs lack.
    shrink = settings.get("label_shrink", known.label_shrink)
    if shrink < 1:
        raise ValueError(
            f"config.loss.label_shrink={shrink!r} is no number of pixels from 1 on; 1 "
            f"is a loss of all pixels, 8 that of DeepLab."
        )
    gamma = settings.get("focal_gamma", known.focal_gamma)
    if not 0 <= gamma < math.inf:
        raise ValueError(
            f"config.loss.focal_gamma={gamma!r} is no number from 0 on; 2 is usual, 0 "
            f"is cross_entropy."
        )
    false_counts = tuple(settings.get("tversky", known.tversky))
    if len(false_counts) != 2 or not overlaps.are_false_counts(*false_counts):
        raise ValueError(
            f"config.loss.tversky={false_counts} is what a false positive and a false "
            f"negative count: two numbers from 0 on, not both 0, such as (0.3,0.7)."
        )
    _check_needless(config, list(names))
    if "superpixel_cross_entropy" in names:
        _check_superpixels(config)
    regions = [name for name in names if name in OF_REGIONS]
    if regions:
        _check_regions(config, regions, alone=len(regions) == len(names))


def _check_boxes(config: Config, names: list[str]) -> None:
    """Refuse losses of boxes where there are none, and of maps where there are."""
    net, stage = config.model.name, config.data.objects.stage
    family = families.family_of(net)
    asked = [name in OF_BOXES for name in names]
    asked += [family in _STAGES, stage in _STAGES.values()]
    if not any(asked):
        return
    fits = all(asked) and _STAGES[family] == stage
    if not fits or (family == "cfm" and "box_masks" in names):
        raise ValueError(
            f"config.model.name={net!r}, config.data.objects.stage={stage!r} and "
            f"config.loss.name={'+'.join(names)!r} do not fit: a network of "
            f"boxes (hypercolumn) is trained on the stage 'regions' with losses of "
            f"boxes ({', '.join(OF_BOXES)}), CFM on 'segments' with box_classes, any "
            f"other with neither."
        )
    why = f"{'+'.join(names)} is of whole boxes"
    _refuse(config, ("class_weights", "balance", *_SOME_PIXELS), why)


def _refuse(config: Config, keys: Sequence[str], why: str) -> None:
    """Refuse keys of pixels, where a loss looks at none by itself."""
    settings, known = config.loss, LossOptions()
    for key in keys:
        value, usual = settings.get(key), getattr(known, key, "")
        if (value or usual) and value not in (None, usual):
            raise ValueError(
                f"config.loss.{key}={value!r} weighs pixels or leaves some out, and "
                f"{why}; leave it out."
            )


def _check_needless(config: Config, names: list[str]) -> None:
    """Refuse options of losses that are not asked for: they would change nothing."""
    settings, known = config.loss, LossOptions()
    for key, losses in _OF_SOME.items():
        usual = getattr(known, key)
        value = settings.get(key, usual)
        value = tuple(value) if isinstance(usual, tuple) else value
        if value != usual and not set(losses) & {*names}:
            raise ValueError(
                f"config.loss.{key}={value!r} is of {' and '.join(losses)}, and "
                f"config.loss.name={settings.get('name', 'cross_entropy')!r} does not "
                f"look at it; leave it out."
            )


def _check_superpixels(config: Config) -> None:
    """Refuse a loss of superpixels where there are none, or of some of their pixels."""
    settings = config.loss
    if superpixels.make_superpixels(config) is None:
        raise ValueError(
            f"config.loss.name={settings.name!r} is of superpixels, and "
            f"config.model.name={config.model.name!r} looks at none; use "
            f"cross_entropy, or a zoomout net."
        )
    _refuse(config, _SOME_PIXELS, "superpixel_cross_entropy is of whole superpixels")


def _check_regions(config: Config, regions: list[str], *, alone: bool) -> None:
    """Refuse what is not defined, or not exact, of losses that compare regions."""
    settings, asked = config.loss, " and ".join(regions)
    if settings.reduction == "sum":
        raise ValueError(
            f"config.loss.reduction='sum' adds up pixels, and {asked} compares "
            f"regions, as ratios from 0 to 1; set config.loss.reduction='mean'."
        )
    if config.accumulate > 1 and not settings.get("per_image", False):
        raise ValueError(
            f"config.accumulate={config.accumulate} sees a part of the batch at a "
            f"time, and {asked} compares regions of all of it; set "
            f"config.accumulate=1, or config.loss.per_image=True."
        )
    weighed = settings.class_weights or settings.get("balance", "")
    if alone and weighed:
        key = "class_weights" if settings.class_weights else "balance"
        shown = tuple(weighed) if settings.class_weights else weighed
        raise ValueError(
            f"config.loss.{key}={shown!r} weighs the pixels of cross_entropy and "
            f"focal, and {asked} sees every class alike; leave it out, or add "
            f"cross_entropy."
        )
