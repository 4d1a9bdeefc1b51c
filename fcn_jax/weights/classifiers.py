"""ImageNet's classifiers from their files: which of them it is, and its variables."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from flax.typing import VariableDict

from fcn_jax.inference import heat
from fcn_jax.models import classifier
from fcn_jax.models.classifier import Classifier
from fcn_jax.preprocessing import CAFFE, PREPROCESSING, Preprocessing
from fcn_jax.weights import formats, loading, names, provenance
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.names import CLASSIFIER, NamedArrays

# Of which AlexNet a file is, its names and shapes do not say; Caffe's say it so.
_RELEASES = {"AlexNet": "alexnet", "CaffeNet": "caffenet"}
# What a photograph can be made into, by name: the others are of depth too.
INPUTS = tuple(name for name, known in PREPROCESSING.items() if known.takes_photos)
_EXPECTED = (
    "expected a classifier with its last layer: VGG-16, bvlc_alexnet, "
    "bvlc_reference_caffenet or bvlc_googlenet, as Caffe, PyTorch or Keras wrote it "
    "(fcn_jax fetch lists some)"
)


class TrainedClassifier(NamedTuple):
    """A classifier and its variables.

    Attributes:
        kind: A key of `models.classifier.KINDS`.
        model: The network.
        variables: What `model.apply` takes.
        preprocessing: What it was trained with.
    """

    kind: str
    model: Classifier
    variables: VariableDict
    preprocessing: Preprocessing

    def heat_map(self, image: np.ndarray) -> heat.HeatMap:
        """Ask it about every place of an image at once; see `inference.heat`.

        Args:
            image: uint8 RGB [H, W, 3]; H, W >= the classifier's side.

        Raises:
            ValueError: If the image is smaller than what the classifier sees.
        """
        return heat.heat_map(self.model, self.variables, self.preprocessing, image)


def load_classifier(
    path: str | Path, kind: str = "", inputs: str | None = None
) -> TrainedClassifier:
    """Read a classifier that was trained on ImageNet, or on images like its.

    Its channels and classes are those of the file.

    Args:
        path: Weights of any format that `load_weights` reads.
        kind: A key of `models.classifier.KINDS`; "": told by the file.
        inputs: What it was given, one of `INPUTS`; None: known by whose names the file
            has ("imagenet" for torchvision's, "caffe" for all others).

    Returns:
        The network, whose fully connected layers are convolutions, with its weights.

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        WeightsError: If it cannot be read, holds no classifier that is known or one of
            other images than photographs, or does not say which it is.
        ValueError: If `kind` or `inputs` is unknown, or `inputs` are no photographs.
        ImportError: If a package that reads the format is missing.
    """
    if kind:
        classifier.check_kind(kind)
    if inputs is not None:
        check_inputs(inputs)
    file = formats.read(path)
    found = _named(file)
    if not found:
        _refuse(path, file)
    kind = _kind(path, file, found, kind)
    named = found[kind]
    sizes = {x.target: x.array.size for x in named.entries}
    if f"params/{CLASSIFIER}/bias" not in sizes:
        raise WeightsError(
            path,
            f"its {kind} has no last layer ({CLASSIFIER}): it is a trunk, or was made "
            f"a network for pixels already",
            _EXPECTED,
        )
    model = _model(kind, sizes)
    preprocessing = PREPROCESSING[inputs] if inputs else None
    preprocessing = preprocessing or provenance.inputs(path, file, named) or CAFFE
    if not preprocessing.takes_photos:
        raise WeightsError(
            path,
            f"its {kind} was given {preprocessing.channels_given} "
            f"({preprocessing.name}), which no photograph is",
            _EXPECTED,
        )
    variables, _ = loading.load_weights(
        path, model, preprocessing=preprocessing, inputs=preprocessing
    )
    return TrainedClassifier(kind, model, variables, preprocessing)


def check_inputs(inputs: str) -> None:
    """Refuse what a photograph cannot be made into.

    Args:
        inputs: Perhaps one of `INPUTS`.

    Raises:
        ValueError: If it is not.
    """
    if inputs in INPUTS:
        return
    why = "is not known"
    if inputs in PREPROCESSING:
        given = PREPROCESSING[inputs].channels_given
        why = f"is {given}, and a classifier sees photographs, which are RGB"
    raise ValueError(f"inputs={inputs!r} {why}; choose one of {', '.join(INPUTS)}.")


def _named(file: formats.File) -> dict[str, NamedArrays]:
    """The arrays under our names, by the classifiers whose layers they all are."""
    found: dict[str, NamedArrays] = {}
    for kind, known in classifier.KINDS.items():
        encoder = type(known.encoder)
        named = names.map_names(file.arrays, file.format, encoder, with_classifier=True)
        layers = {entry.target.split("/")[1] for entry in named.entries}
        if layers.issuperset(known.encoder.convolutions()):
            found[kind] = named
    return found


def _kind(
    path: str | Path, file: formats.File, found: Mapping[str, NamedArrays], asked: str
) -> str:
    """Which classifier it is.

    Raises:
        WeightsError: If it is another than is asked for, or may be several.
    """
    if asked and asked not in found:
        raise WeightsError(
            path,
            f"it holds the layers of {' or '.join(found)}, not of {asked}",
            "leave --net out, or name another file",
        )
    net = str(file.metadata.get("net", ""))
    release = _RELEASES.get(net)
    if asked and release in found and release != asked:
        raise WeightsError(
            path,
            f"its net is {net}, and {asked} is another (LRN comes before or after the "
            f"poolings): all weights would fit, and every score be wrong",
            f"leave --net out, or say --net={release}",
        )
    if asked or len(found) == 1:
        return asked or next(iter(found))
    if release is None:
        raise WeightsError(
            path,
            f"it may be {' or '.join(found)}, whose layers have the same names and "
            f"shapes (LRN comes before or after the poolings), and it does not say "
            f"which",
            f"say it with --net={' or --net='.join(found)}",
        )
    return release


def _refuse(path: str | Path, file: formats.File) -> None:
    """Raise for a file that is none of the classifiers, saying what it is if known.

    Raises:
        WeightsError: Always.
    """
    for kind in ("alexnet", "googlenet"):
        model = classifier.create_classifier(kind)
        named = names.map_names(file.arrays, file.format, type(model.encoder))
        if named.convention != names.KERAS:
            loading.check_objection(path, model.encoder, file, named)
    shown = ", ".join(list(file.arrays)[:4])
    raise WeightsError(path, f"it is no classifier that is known ({shown})", _EXPECTED)


def _model(kind: str, sizes: Mapping[str, int]) -> Classifier:
    """The network with the channels and the classes of a file."""
    full = classifier.create_classifier(kind).encoder
    first = next(layer for layer in full.layers() if layer.kind == "conv")
    width = sizes[f"params/{first.name}/bias"] / first.features
    fc_features = round(sizes.get("params/fc7/bias", 0) / width)
    classes = sizes[f"params/{CLASSIFIER}/bias"]
    return classifier.create_classifier(kind, classes, width, fc_features)
