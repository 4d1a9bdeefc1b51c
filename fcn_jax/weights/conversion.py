"""From the weights of a file to those of a net that computes the same.

Each function takes what was matched and returns it with one difference between the
file's net and ours made up for. `load_weights` calls them in the order in which they
stand here.
"""

import dataclasses

import numpy as np

from fcn_jax.models.encoders import DeepLabVGG16
from fcn_jax.models.encoders.vgg import FC6_KERNEL
from fcn_jax.models.network import layer_name
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.weights import names, provenance, surgery
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.matching import Matched

# Of VGG-16's skips, as the fields of `skip_scales`.
_SKIP_SCORES = ("score_pool4", "score_pool3")
_PARTS = ("kernel", "bias")  # Of a layer's variables.


def decimate_fully_connected(matched: Matched) -> Matched:
    """Let DeepLab's fc6 and fc7 start with some taps and channels of VGG-16's."""
    if not isinstance(matched.net.encoder, DeepLabVGG16):
        return matched
    for layer, side in (("fc6", FC6_KERNEL), ("fc7", 1)):
        parts = [f"params/{layer}/{part}" for part in ("kernel", "bias")]
        other = {name for name, _, _ in matched.mismatched} & {*parts}
        found = {name: _decimated(matched, name, side) for name in other}
        values = {name: x for name, x in found.items() if x is not None}
        if not other or values.keys() != other:  # Its channels belong together.
            continue
        left = tuple(x for x in matched.mismatched if x[0] not in other)
        shape = "x".join(map(str, matched.shapes[parts[0]].shape))
        matched = matched.replace(mismatched=left).with_values(values)
        matched = matched.noted(
            f"{layer} takes taps and channels of the file's at equal steps: {shape}"
        )
    return matched


def _decimated(matched: Matched, name: str, side: int) -> np.ndarray | None:
    """What DeepLab takes of a kernel or bias of the file; None: it is no such."""
    entry, shape = matched.found(name), matched.shapes[name].shape
    if entry is None:
        return None
    if len(shape) == 1:
        return surgery.decimate(entry.array.reshape(-1), shape)
    whole = surgery.as_convolution(entry, side)
    # Maps of pool5 are all looked at; those of fc6 as far as it gives them.
    if whole is None or (side > 1 and whole.shape[2] != shape[2]):
        return None
    return surgery.decimate(whole, shape)


def twins_alike(matched: Matched) -> Matched:
    """Let layers start as their twins do (`Network.twins`), where a file lacks them."""
    for layer, twin in matched.net.twins.items():
        names_of = {f"params/{layer}/{x}": f"params/{twin}/{x}" for x in _PARTS}
        if names_of.keys() & matched.values.keys():
            continue
        if all(name in matched.values for name in names_of.values()):
            values = {name: matched.values[x] for name, x in names_of.items()}
            matched = matched.with_values(values)
            matched = matched.noted(f"{layer} starts as {twin} does")
    return matched


def check_upsampling(matched: Matched) -> Matched:
    """Take note of upsampling kernels that the net has fixed: they must be bilinear."""
    fixed = matched.net.fixed_upsampling()
    for entry in matched.fixed:
        layer = entry.target.split("/")[1]
        kernel = entry.array
        if kernel.ndim == 4 and entry.layout != names.HWIO:
            kernel = kernel.transpose(2, 3, 0, 1)
        if layer not in fixed:
            matched = matched.with_unexpected(entry.source)
            continue
        size, count = fixed[layer]
        shape = (size, size, count, count)
        if kernel.shape != shape:
            matched = matched.with_mismatch(entry.target, entry.array.shape, shape)
        elif surgery.is_bilinear(kernel):
            matched = matched.noted(
                f"{entry.source} is bilinear, as the net's fixed {layer}"
            )
        else:
            matched = matched.with_unexpected(entry.source).noted(
                f"{entry.source} is not the bilinear kernel of {layer}, which the net "
                f'has fixed: create it with upsampling="learned"'
            )
    return matched


def fold_skip_scales(matched: Matched, given: tuple[float, ...] | None) -> Matched:
    """Bring the scores of skips to the factors that the net has on them.

    Args:
        matched: What was taken.
        given: The factors on pool4 and pool3 that the file's scores were trained with;
            None: those that the file records.

    Returns:
        What was taken, score kernels rescaled.

    Raises:
        WeightsError: If the file's factors are not one number, or one a channel.
    """
    ours = getattr(matched.net, "skip_scales", ())
    for i, layer in enumerate(_skip_scores(matched)):
        theirs = layer.replace("score", "scale")
        scored = [layer_name(layer, head) for head in matched.net.heads]
        scored = [name for name in scored if f"params/{name}/kernel" in matched.values]
        if not scored:
            if theirs in matched.named.extra:
                matched = matched.with_unexpected(theirs)
            continue
        scale = _scale_in_file(matched, i, theirs, given)
        if scale is None:
            matched = matched.noted(
                f"the file does not say by what factor its {layer} was trained: taken "
                f"as the net's, {ours[i]:g}"
            )
            continue
        scale = np.asarray(scale, np.float64).reshape(-1)
        for name in scored:
            matched = _rescaled(matched, name, scale, ours[i])
    return matched


def _rescaled(matched: Matched, layer: str, scale: np.ndarray, ours: float) -> Matched:
    """The scores of a skip by the net's factor on it, in place of the file's.

    Raises:
        WeightsError: If the file's is neither one number, nor one a channel.
    """
    target = f"params/{layer}/kernel"
    kernel = matched.values[target]
    if scale.size not in (1, kernel.shape[2]):
        raise WeightsError(
            matched.path,
            f"{layer.replace('score', 'scale')} has {scale.size} values",
            f"expected {kernel.shape[2]}, one for each channel",
        )
    if np.allclose(scale, ours, rtol=1e-6, atol=0):
        return matched
    folded = surgery.fold_scale(kernel, scale, ours)
    return matched.with_values({target: folded}).noted(
        f"{layer} rescaled for the net's factor {ours:g}"
    )


def _skip_scores(matched: Matched) -> list[str]:
    """The scores of the net's skips in their order, and those that files may have."""
    own = (f"score_{skip}" for skip in getattr(matched.net, "skips", ()))
    return list(dict.fromkeys((*own, *_SKIP_SCORES)))


def _scale_in_file(
    matched: Matched, i: int, name: str, given: tuple[float, ...] | None
):
    """The factors on skip `i` that the file's scores were trained with, or None."""
    stored = matched.named.extra.get(name)
    if given is None and stored is not None:
        return stored
    scales = given
    if given is None:
        scales = provenance.recorded_skip_scales(
            matched.path, matched.file, matched.named
        )
    if scales is not None and i < len(scales):
        return scales[i]
    # A net of Caffe has layers for its factors, or none.
    return 1.0 if matched.named.convention == names.CAFFE else None


def fold_upsampling_bias(matched: Matched) -> Matched:
    """Add the bias of upscore2, which no net of ours has, to that of score_pool4.

    What upscore2 adds to its scores meets those of pool4 in their sum.
    """
    bias = matched.named.extra.get("upscore2/bias")
    target = "params/score_pool4/bias"
    if bias is None:
        return matched
    if target not in matched.values:
        return matched.with_unexpected("upscore2/bias")
    ours = matched.values[target]
    if bias.size != ours.size:
        return matched.with_mismatch("upscore2/bias", bias.shape, ours.shape)
    return matched.with_values({target: ours + bias.reshape(-1)}).noted(
        "the bias of upscore2 is added to that of score_pool4"
    )


def set_statistics(matched: Matched, bn_form: str | None) -> Matched:
    """Give the BatchNorm of Caffe's DeconvNet, which stores none, its statistics.

    Args:
        matched: What was taken.
        bn_form: "training", "inference" (the statistics are folded into scale and
            bias) or None: as the layers of the file show.

    Returns:
        What was taken, with statistics that change nothing in the form "inference".
    """
    detected = matched.file.bn_inference
    inference = detected if bn_form is None else bn_form != "training"
    wanted = [name for name in matched.shapes if name.startswith("batch_stats/")]
    given = any(name in matched.values for name in wanted)
    if detected is None or given or not wanted:
        return matched
    if not inference:
        return matched.replace(lacks_statistics=True).noted(
            "BatchNorm is in its training form, without statistics: take them over "
            "training batches (config.batch_stats_batches=501) before use"
        )
    neutral = {"mean": 0.0, "var": 1.0 - matched.net.encoder.bn_epsilon}
    return matched.with_values(
        {
            name: np.full(matched.shapes[name].shape, neutral[name.rpartition("/")[2]])
            for name in wanted
        }
    ).noted(
        "the statistics of BatchNorm are folded into its scale and shift; to train on, "
        "start from the training form"
    )


def decoder_from_scores(matched: Matched) -> Matched:
    """Let a decoder that starts as an upsampling start with the scores of an FCN."""
    deconv, last = "params/fc6-deconv/kernel", "params/seg-score/kernel"
    entry = matched.found("params/score_fr/kernel")
    if getattr(matched.net, "decoder_start", "") != "upsampling" or entry is None:
        return matched
    shape = matched.shapes[deconv].shape
    channels, classes = matched.shapes[last].shape[2:]
    score = surgery.to_shape(entry, (1, 1, shape[2], classes))
    if score is None or 2 * classes > channels or shape[3] % channels:
        return matched.noted(
            f"the decoder does not start with the scores of score_fr: they must be of "
            f"the net's {classes} classes, and at most half as many as the {channels} "
            f"channels of its last stage, which must divide the {shape[3]} of "
            f"fc6-deconv"
        )
    whole = getattr(matched.net.encoder, "padding", "") == "valid"
    kernels = surgery.decoder_from_scores(score, shape, channels, whole=whole)
    left = tuple(name for name in matched.unexpected if name != entry.source)
    return (
        matched.replace(unexpected=left)
        .with_values(dict(zip((deconv, last), kernels, strict=True)))
        .noted("the decoder starts with the scores of score_fr")
    )


def fold_inputs(
    matched: Matched,
    inputs: Preprocessing | None,
    preprocessing: Preprocessing,
    place: int = 0,
) -> Matched:
    """Rewrite the first layer for images preprocessed as the net's will be.

    Args:
        matched: What was taken.
        inputs: What the file's net was given; None: what the file records, or what is
            known of nets with such names.
        preprocessing: What the net will be given.
        place: Which of the channels of the file's net is the first of the net's, where
            that has fewer.

    Returns:
        What was taken, the first layer rewritten where the two differ. Where one of
        them has no colours it stays as it is, as HHA starts from VGG-16 in the release.

    Raises:
        WeightsError: If what the file records cannot be understood.
    """
    source = inputs or provenance.inputs(matched.path, matched.file, matched.named)
    source = source or preprocessing
    if source.num_channels > preprocessing.num_channels:
        source = source.part(place, preprocessing.num_channels)
    first = matched.net.encoder.convolutions()[0]
    kernel, bias = (f"params/{first}/{part}" for part in ("kernel", "bias"))
    same = dataclasses.replace(source, name=preprocessing.name) == preprocessing
    if kernel not in matched.values or same:
        return matched
    if source.has_colours != preprocessing.has_colours:
        return matched.noted(
            f"{first} stays as it is: {source.name} and {preprocessing.name} images "
            f"are not both of colours"
        )
    old = matched.values.get(bias)
    zero = np.zeros(matched.values[kernel].shape[-1])
    new_kernel, new_bias = surgery.fold_input(
        matched.values[kernel], zero if old is None else old, source, preprocessing
    )
    values = {kernel: new_kernel}
    if old is not None or new_bias.any():
        values[bias] = new_bias
    return matched.with_values(values).noted(
        f"{first} rewritten from {source.name} to {preprocessing.name} images "
        f'(if it was trained on those, say inputs="{preprocessing.name}")'
    )
