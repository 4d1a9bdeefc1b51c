"""From a file of weights to the variables of a net, with an account of every name."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from flax.typing import VariableDict

from fcn_jax.crf.module import Model
from fcn_jax.models.encoders import Encoder, foreign
from fcn_jax.models.late_fusion import LateFusion
from fcn_jax.preprocessing import CAFFE, PREPROCESSING, Preprocessing
from fcn_jax.weights import (
    conversion,
    formats,
    keras_nesting,
    matching,
    names,
    provenance,
    streams,
)
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.reports import Report

BN_FORMS = ("training", "inference")


class _Wanted(NamedTuple):
    """How a file is to be read; see `load_weights`, and `place` `fold_inputs`."""

    strict: bool
    preprocessing: Preprocessing
    inputs: Preprocessing | None
    skip_scales: tuple[float, ...] | None
    bn_form: str | None
    least: float
    place: int = 0


def load_weights(
    path: str | Path | Mapping[str, str | Path],
    model: Model,
    *,
    strict: bool = True,
    preprocessing: Preprocessing = CAFFE,
    inputs: Preprocessing | str | None = None,
    skip_scales: tuple[float, ...] | None = None,
    bn_form: str | None = None,
    initial: VariableDict | None = None,
    least: float = 0.0,
    verbose: bool = False,
) -> tuple[VariableDict, Report]:
    """Read weights of any known format into the variables of a net.

    The format is detected by the content: `.caffemodel`, PyTorch `.pth`,
    `.safetensors`, Keras `.h5`, `.npz` or the directory of a run. So are the names:
    those of the Caffe nets, wkentaro's, torchvision's vgg16 and vgg16_bn, Keras',
    Chainer's, and ours.

    Strictly, every parameter of the net must come from the file, and every array of
    the file go into the net. There is one exception, the start that the papers
    describe: a file without any score or upsampling layer is VGG-16 trained on
    ImageNet; its classifier fc8 is left out, and all that VGG-16 lacks starts as the
    net starts it (scores of FCN zero, its upsampling bilinear). With `strict=False`
    whatever fits is taken, as to go from FCN-32s to FCN-16s to FCN-8s; a DeconvNet
    whose decoder starts as an upsampling then starts with the scores of an FCN.

    Where the file records an option by which the same weights score otherwise, such as
    the padding, and the net has another, the report says so, and if it is not printed
    a warning does.

    A net of two streams (`models.late_fusion`) starts from a file of its own, from one
    that both streams start from, or from one for each.

    Args:
        path: The file, or the directory of a run; of a net of streams also one for each
            stream, {"color": ..., "hha": ...}.
        model: The net, such as `fcn_jax.create("fcn8s")`.
        strict: Whether to refuse a file that is not exactly this net.
        preprocessing: What the net will be given; the first layer is rewritten for it
            where the file's net was given something else.
        inputs: What the file's net was given: a `Preprocessing`, or the name of one
            ("caffe", "imagenet"). None: what the file records (a run, and what
            `save_weights` wrote). Of others: "imagenet" for torchvision's names (pass
            "caffe" for vgg16_from_caffe.pth, which has them too), "caffe" for those of
            Caffe, Keras and Chainer, the same in RGB for archives of TensorFlow's
            layout, and `preprocessing` for all else, wkentaro's PyTorch nets among
            them.
        skip_scales: The factors on pool4 and pool3 that the file's scores were trained
            with. None: what the file records (a run, and what `save_weights` wrote); a
            `.caffemodel` holds them, and without them they are 1; else those of the
            net, of which a note is made. Scores are rescaled to the net's factors.
        bn_form: Of a `.caffemodel` of DeconvNet: "training", whose BatchNorm takes
            statistics of the batch and stores none, or "inference", which has them
            folded into scale and shift. None: detected by its layers.
        initial: Variables from which parameters that the file lacks are taken; None:
            a fresh start of the net.
        least: Share of the encoder's parameters that the file must give, in [0, 1];
            where `strict` is False, so that little does not pass for all.
        verbose: Whether to print the report.

    Returns:
        Variables as `model.init` returns them, and which names matched.

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        WeightsError: If the file cannot be read, or is not this net.
        ImportError: If a package that reads the format is missing.
        ValueError: If an argument is not one of those above.
    """
    inputs = _preprocessing(inputs)
    _check_scales(skip_scales)
    if bn_form not in (None, *BN_FORMS):
        raise ValueError(
            f"load_weights: bn_form={bn_form!r} is not known; choose one of "
            f"{', '.join(BN_FORMS)}, or None to tell by the file."
        )
    wanted = _Wanted(strict, preprocessing, inputs, skip_scales, bn_form, least)
    if isinstance(model.network, LateFusion):
        matched = _of_streams(path, model, model.network, wanted)
    elif isinstance(path, Mapping):
        raise ValueError(
            f"load_weights: path names files for {', '.join(path)}; "
            f"{type(model.network).__name__} has no streams: pass one file."
        )
    else:
        matched = _converted(path, model, formats.read(path), wanted)
    path = matched.path
    differing = provenance.differing_options(matched.file.metadata, model.network)
    report = matched.replace(notes=(*matched.notes, *differing)).report()
    if verbose:
        print(report, flush=True)
    elif differing:
        warnings.warn(f"{path}: {'; '.join(differing)}.", stacklevel=2)
    if not any(name.endswith("/kernel") for name in report.matched):
        none = "kernels" if report.matched else "arrays"
        raise WeightsError(
            path,
            f"none of its {none} is one of the net's\n{report}",
            matching.advice(matched, strict),
        )
    return matching.variables(matched, initial), report


def _converted(
    path: str | Path, model: Model, file: formats.File, wanted: _Wanted
) -> matching.Matched:
    """What a file gives to a net, made what the net wants."""
    encoder = model.network.encoder
    known = {}
    if file.format == "keras":
        trunk = [n for n in encoder.convolutions() if not n.startswith("fc")]
        known = keras_nesting.renumbered(path, file.arrays, len(trunk))
    named = names.map_names(
        file.arrays,
        file.format,
        type(encoder),
        known,
        model.network.classifies,
    )
    check_objection(path, encoder, file, named)
    matched = matching.match(path, model, file, named)
    if nested := keras_nesting.note(known):
        matched = matched.noted(nested)
    matched = conversion.decimate_fully_connected(matched)
    matched = conversion.twins_alike(matched)
    matched = conversion.check_upsampling(matched)
    matched = conversion.fold_skip_scales(matched, wanted.skip_scales)
    matched = conversion.fold_upsampling_bias(matched)
    matched = conversion.set_statistics(matched, wanted.bn_form)
    if wanted.strict:
        matching.check_strictly(matched)
    if not wanted.strict and matched.values:
        matching.check_encoder(matched, wanted.least)
    matched = conversion.decoder_from_scores(matched)
    return conversion.fold_inputs(
        matched, wanted.inputs, wanted.preprocessing, wanted.place
    )


def _of_streams(
    path: str | Path | Mapping[str, str | Path],
    model: Model,
    net: LateFusion,
    wanted: _Wanted,
) -> matching.Matched:
    """What a file, or one for each stream, gives to a net of streams."""
    alone, count = net.alone(), net.encoder.channels
    found: dict[str, matching.Matched] = {}
    for i, (stream, (file_path, file)) in enumerate(streams.files(path, net).items()):
        own = wanted.preprocessing.part(i * count, count)
        of_stream = wanted._replace(preprocessing=own, place=i * count)
        found[stream] = _converted(file_path, alone, file, of_stream)
    return streams.joined(found, model)


def check_objection(
    path: str | Path, encoder: Encoder, file: formats.File, named: names.NamedArrays
) -> None:
    """Refuse a file that an encoder knows to be of another network.

    Args:
        path: The file, for errors.
        encoder: Of the net that it is for.
        file: It, read.
        named: Its arrays under our names.

    Raises:
        WeightsError: If it is.
    """
    kernels = {
        entry.layer: entry.array.shape
        for entry in named.entries
        if entry.target.endswith("/kernel")
    }
    net = str(file.metadata.get("net", ""))
    stored = foreign.StoredLayers(named.convention, kernels, net)
    if why := encoder.objection(stored):
        raise WeightsError(path, *why)


def _preprocessing(inputs: Preprocessing | str | None):
    if inputs is None or isinstance(inputs, Preprocessing):
        return inputs
    if inputs not in PREPROCESSING:
        raise ValueError(
            f"load_weights: inputs={inputs!r} is not known; choose one of "
            f"{', '.join(PREPROCESSING)}, or pass a Preprocessing."
        )
    return PREPROCESSING[inputs]


def _check_scales(scales: tuple[float, ...] | None):
    if scales is None:
        return
    if not 1 <= len(scales) <= 2 or not all(0 < x < float("inf") for x in scales):
        raise ValueError(
            f"load_weights: skip_scales={tuple(scales)!r} is not understood; pass the "
            f"positive factors on pool4 and pool3 that the file's net was trained "
            f"with, such as (0.01, 0.0001)."
        )
