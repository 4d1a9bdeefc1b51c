"""Networks: image -> class scores of every pixel, and nothing else."""

import dataclasses
import difflib

import flax.linen as nn

from fcn_jax.models import deconvnet, fcn

MODELS: dict[str, type[nn.Module]] = {
    "fcn32s": fcn.FCN32s,
    "fcn16s": fcn.FCN16s,
    "fcn8s": fcn.FCN8s,
    "fcn8s_atonce": fcn.FCN8sAtOnce,
    "deconvnet": deconvnet.DeconvNet,
}


def create(name: str, num_classes: int = 21, **options) -> nn.Module:
    """Make a network by name.

    Args:
        name: A key of `MODELS`.
        num_classes: Classes to score, background included.
        **options: Fields of the class, such as padding="same", batch_norm=True,
            width=0.5 or dtype=jnp.bfloat16; its documentation says what they mean.

    Returns:
        A Linen module: `variables = model.init(key, images, train=False)`, then
        `model.apply(variables, images, sizes=None, train=False)` gives logits
        [N, H, W, num_classes] for preprocessed images [N, H, W, 3].

    Raises:
        ValueError: If the name or an option is unknown.
    """
    if name not in MODELS:
        raise ValueError(
            f"model {name!r} is not known{_suggestion(name, MODELS)}; the models are "
            f"{', '.join(MODELS)}."
        )
    cls = MODELS[name]
    reserved = ("num_classes", "parent", "name")
    known = [f.name for f in dataclasses.fields(cls) if f.name not in reserved]
    for option in options:
        if option not in known:
            raise ValueError(
                f"option {option!r} of model {name!r} is not known"
                f"{_suggestion(option, known)}; its options are {', '.join(known)}."
            )
    return cls(num_classes=num_classes, **options)


def _suggestion(word, known):
    close = difflib.get_close_matches(str(word), known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
