"""Networks: image -> class scores of every pixel, and nothing else."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from flax.core import FrozenDict

from fcn_jax import messages
from fcn_jax.models import (
    deconvnet,
    deeplab,
    fcn,
    feature_masking,
    hypercolumn,
    inputs,
    late_fusion,
    segnet,
    zoomout,
)
from fcn_jax.models.encoders import ENCODERS, Encoder
from fcn_jax.models.network import Network

MODELS: dict[str, type[Network]] = {
    "fcn32s": fcn.FCN32s,
    "fcn16s": fcn.FCN16s,
    "fcn8s": fcn.FCN8s,
    "fcn8s_atonce": fcn.FCN8sAtOnce,
    "fcn32s_late_fusion": late_fusion.FCN32sLateFusion,
    "fcn16s_late_fusion": late_fusion.FCN16sLateFusion,
    "fcn_alexnet": fcn.FCNAlexNet,
    "fcn_googlenet": fcn.FCNGoogLeNet,
    "deconvnet": deconvnet.DeconvNet,
    "segnet": segnet.SegNet,
    "deeplab": deeplab.DeepLab,
    "deeplab_7x7": deeplab.DeepLab7x7,
    "deeplab_largefov": deeplab.DeepLabLargeFOV,
    "deeplab_msc": deeplab.DeepLabMSc,
    "deeplab_msc_largefov": deeplab.DeepLabMScLargeFOV,
    "hypercolumn": hypercolumn.Hypercolumn,
    "cfm": feature_masking.CFM,
    "cfm_design_b": feature_masking.CFMDesignB,
    "zoomout": zoomout.Zoomout,
    "zoomout_v1": zoomout.ZoomoutV1,
}
_T = TypeVar("_T")
# Options as earlier versions called them.
_RENAMED = {"full_margin": "full_padding"}
_RESERVED = ("num_classes", "encoder", "skips", "suffix", "parent", "name")


def create(
    name: str,
    num_classes: int | Mapping[str, int] = 21,
    encoder: str | Encoder = "",
    **options: Any,
) -> Network:
    """Make a network by name.

    Args:
        name: A key of `MODELS`.
        num_classes: Classes to score, background included; or a number for each head,
            by its name.
        encoder: A key of `ENCODERS`, or an encoder that is made already, whose options
            then stay as they are. "": the network's own, "vgg16" of most.
        **options: Fields of the network and of the encoder, such as padding="same",
            batch_norm=True, width=0.5 or dtype=jnp.bfloat16; the documentation of their
            classes says what they mean.

    Returns:
        A Linen module: `variables = model.init(key, images, train=False)`, then
        `model.apply(variables, images, sizes=None, train=False)` gives logits
        [N, H, W, num_classes] for preprocessed images [N, H, W, 3], by head where there
        are several.

    Raises:
        ValueError: If the name, the encoder or an option is unknown, or there are not
            two classes.
    """
    if name not in MODELS:
        raise ValueError(
            f"model {name!r} is not known{_suggestion(name, MODELS)}; the models are "
            f"{', '.join(MODELS)}."
        )
    inputs.check_num_classes(num_classes)
    cls = MODELS[name]
    own = _option_names(cls)
    encoder = encoder or cls.default_encoder
    if isinstance(encoder, Encoder):
        of_encoder: list[str] = []
    elif encoder in ENCODERS:
        of_encoder = encoder_options(cls, _encoder_class(cls, encoder))
    else:
        raise ValueError(
            f"encoder {encoder!r} is not known{_suggestion(encoder, ENCODERS)}; the "
            f"encoders are {', '.join(ENCODERS)}."
        )
    options = {_RENAMED.get(name, name): _hashable(x) for name, x in options.items()}
    known = [*own, *of_encoder]
    given = isinstance(encoder, str) and encoder != cls.default_encoder
    on = f" with encoder={encoder!r}" if given else ""
    for option in options:
        if option not in known:
            raise ValueError(
                f"option {option!r} of model {name!r}{on} is not known"
                f"{_suggestion(option, known)}; its options are {', '.join(known)}."
            )
    if not isinstance(encoder, Encoder):
        encoder = _make_encoder(
            cls,
            _encoder_class(cls, encoder),
            {n: x for n, x in options.items() if n in of_encoder},
        )
    return cls(
        encoder=encoder,
        num_classes=_hashable(num_classes),
        **{n: x for n, x in options.items() if n in own},
    ).suited()


def option_names(name: str, encoder: str = "") -> list[str]:
    """What `create` takes for a network beside its name, classes and encoder.

    Args:
        name: A key of `MODELS`.
        encoder: A key of `ENCODERS`; "": the network's own.
    """
    cls = MODELS[name]
    form = _encoder_class(cls, encoder or cls.default_encoder)
    return [*_option_names(cls), *encoder_options(cls, form)]


def encoder_name(model: Network) -> str:
    """The name by which `create` knows the encoder of a network.

    Returns:
        A key of `ENCODERS`; "": the network's own, or one that has no name.
    """
    names = [name for name, cls in ENCODERS.items() if cls is type(model.encoder)]
    return names[0] if names and names[0] != type(model).default_encoder else ""


def encoder_options(cls: type[Network], encoder: type[Encoder]) -> list[str]:
    """Options of an encoder that `create` takes for a network."""
    return [name for name in _option_names(encoder) if name not in cls.encoder_fixed]


def options_of(model: Network) -> dict[str, object]:
    """The options by which `create` makes a network again, its name apart.

    Args:
        model: A network of `MODELS`.

    Returns:
        Its own fields and those of its encoder, by name.
    """
    own = {name: getattr(model, name) for name in _option_names(type(model))}
    names = encoder_options(type(model), type(model.encoder))
    return own | {name: getattr(model.encoder, name) for name in names}


def _encoder_class(cls: type[Network], encoder: str) -> type[Encoder]:
    """The encoder of that name, in the form that a network takes."""
    return cls.encoder_forms.get(ENCODERS[encoder], ENCODERS[encoder])


def _make_encoder(
    cls: type[Network], encoder: type[Encoder], options: Mapping[str, Any]
) -> Encoder:
    known = {field.name for field in dataclasses.fields(encoder)}
    given: dict[str, Any] = {**cls.encoder_defaults, **options, **cls.encoder_fixed}
    return encoder(**{name: x for name, x in given.items() if name in known})


def _hashable(value: _T) -> _T:
    """Lists as tuples, dicts as frozen ones: networks are static arguments of `jit`."""
    if isinstance(value, list | tuple):
        return cast("_T", tuple(map(_hashable, value)))
    return cast("_T", FrozenDict(value)) if isinstance(value, Mapping) else value


def _option_names(cls: type) -> list[str]:
    return [f.name for f in dataclasses.fields(cls) if f.name not in _RESERVED]


def _suggestion(word: str, known: Iterable[str]) -> str:
    found = messages.suggestion(word, known)
    return f" ({found})" if found else ""
