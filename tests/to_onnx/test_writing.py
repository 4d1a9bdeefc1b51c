"""Networks as ONNX files: all nets by onnxruntime, what is told, what is refused."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

import fcn_jax
from fcn_jax import crf, exported, to_onnx
from fcn_jax.data import label_sets
from fcn_jax.models import fcn
from fcn_jax.models.network import Network
from fcn_jax.preprocessing import CAFFE, IMAGENET, Preprocessing, preprocess
from fcn_jax.storage import files
from tests.support import cases
from tests.support.encoders import MadeUp

onnx = pytest.importorskip("onnx", reason="needs onnx, of the extra [onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from fcn_jax.to_onnx import checking, layers, networks, writing  # noqa: E402

PALETTE = label_sets.VOC.palette
SMALL = {"num_classes": 3, "width": 1 / 64, "fc_features": 128}
DEPTH = Preprocessing("depth", "bgrd", (1.0, 2.0, 3.0, 4.0), (9.0, 9.0, 9.0, 9.0))
HEADS = FrozenDict({"semantic": 3, "geometric": 2})
BN, LEARNED = {"batch_norm": True}, {"upsampling": "learned"}
GOOGLENET = {"encoder": "googlenet", "width": 1 / 16, "fc_features": None}
# The precisions that are not slow to try: each compiles three sizes.
NETWORKS = [
    pytest.param(
        name,
        options,
        precision,
        marks=() if precision in quick.split() else pytest.mark.slow,
        id=f"{text}-{precision}",
    )
    for text, quick, name, options in (
        ("32s-caffe", "", "fcn32s", BN),
        ("32s-same", "float32", "fcn32s", {"padding": "same", **BN}),
        ("16s-caffe", "", "fcn16s", LEARNED),
        ("16s-full", "float32", "fcn16s", {**BN, "full_padding": True}),
        ("16s-same", "", "fcn16s", {"padding": "same", "upsampling": "learned_2x"}),
        ("8s-caffe", "float32", "fcn8s", {"upsampling": "learned_2x"}),
        ("8s-same", "float16", "fcn8s", {"padding": "same", "batch_norm_fc": True}),
        ("atonce-caffe", "", "fcn8s_atonce", {"skip_scales": (0.5, 0.25)}),
        ("atonce-same", "float32", "fcn8s_atonce", {"padding": "same", **LEARNED}),
        ("alexnet-8s", "float32", "fcn8s", {"encoder": "alexnet", **LEARNED}),
        ("alexnet-bvlc", "", "fcn_alexnet", {"norm_first": True}),
        ("googlenet-8s", "", "fcn8s", GOOGLENET),
        ("deconvnet-valid", "", "deconvnet", {}),
        ("deconvnet-same", "float32 float16", "deconvnet", {"padding": "same"}),
        ("segnet", "float32", "segnet", {}),
        ("32s-nearest", "", "fcn32s", {"upsampling": "nearest"}),
        ("8s-bilinear", "", "fcn8s", {"padding": "same", "upsampling": "bilinear"}),
        ("32s-dense", "", "fcn32s", {"padding": "same", "output_stride": 1}),
        ("16s-dilated", "", "fcn16s", {"output_stride": 8}),
        ("8s-dilated", "", "fcn8s", {"padding": "same", "output_stride": 16}),
        ("deeplab", "", "deeplab", {}),
        ("deeplab-7x7", "", "deeplab_7x7", {"batch_norm_fc": True}),
        ("deeplab-largefov", "", "deeplab_largefov", BN),
        ("deeplab-msc", "float32", "deeplab_msc_largefov", {}),
    )
    for precision in to_onnx.PRECISIONS
]


def photos(shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def write(path, model, variables, **options):
    settings = {"classes": ("a", "b", "c"), "palette": PALETTE} | options
    return writing.export_onnx(path, model, variables, **settings)


def ask(path, images, names=None):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(names, {"images": images})


def apply(model, variables, images, recipe=CAFFE):
    @cases.quick_jit
    def run(variables, images):
        return model.apply(variables, preprocess(images, recipe))

    return run(variables, jnp.asarray(images))


@pytest.fixture(scope="module")
def small():
    model = fcn_jax.create("fcn32s", padding="same", **SMALL)
    return model, cases.random_variables(model, seed=3)  # It sees two classes.


@pytest.fixture
def unchecked(monkeypatch):
    """Without onnxruntime, as the command takes it; the tests have it."""
    monkeypatch.setattr(checking, "version", lambda: "")


@pytest.mark.long
@pytest.mark.parametrize(("name", "options", "precision"), NETWORKS)
def test_all_networks_at_three_sizes(tmp_path, name, options, precision):
    path = tmp_path / "net.onnx"
    if name == "segnet":  # It has no fc_features, and one channel would be dead.
        options = {**options, "width": 1 / 16, "fc_features": None}
    given = {key: x for key, x in (SMALL | options).items() if x is not None}
    model = fcn_jax.create(name, **given)
    variables = cases.random_variables(model)
    checks = write(path, model, variables, precision=precision)
    shapes = [check.shape for check in checks]
    least = model.smallest_image
    assert shapes[0] == (1, least, least)
    assert shapes[1][0] == 2
    assert len({height % 2 for _, height, _ in shapes}) == 2
    far = max(check.difference for check in checks)
    assert far < {"float32": 1e-5, "float16": 5e-3}[precision]
    assert precision == "float32" or far > 1e-5
    types = {x.data_type for x in onnx.load(path).graph.initializer if x.dims}
    halves = onnx.TensorProto.FLOAT16 in types
    assert halves == (precision == "float16")


@pytest.mark.long
def test_a_size_that_the_command_does_not_check(tmp_path):
    """Here not by the code that the command is checked by."""
    model = fcn_jax.create("fcn8s", padding="caffe", **SMALL)
    variables = cases.random_variables(model)
    write(tmp_path / "net.onnx", model, variables)
    images = photos((3, 50, 45, 3))
    (ours,) = ask(tmp_path / "net.onnx", images)
    theirs = np.asarray(apply(model, variables, images))
    assert (ours.shape, ours.dtype) == ((3, 50, 45, 3), np.float32)
    scale = np.abs(theirs).max()
    assert scale > 1e-3
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


def test_a_made_up_encoder(tmp_path):
    """Strides, groups, dilation, LRN, branches, BatchNorm; poolings that overlap."""
    model = fcn.FCN(encoder=MadeUp(), num_classes=3, skips=("mixed",))
    variables = cases.random_variables(model)
    checks = write(tmp_path / "net.onnx", model, variables)
    assert len(checks) == 3


@pytest.mark.long
def test_several_heads_and_other_channels(tmp_path):
    path = tmp_path / "net.onnx"
    options = {**SMALL, "num_classes": HEADS, "channels": 4, "padding": "same"}
    model = fcn_jax.create("fcn16s", **options)
    variables = cases.random_variables(model)
    names = {head: [f"{head}{i}" for i in range(n)] for head, n in HEADS.items()}
    colours = dict.fromkeys(HEADS, PALETTE)
    settings = {"classes": names, "palette": colours, "preprocessing": DEPTH}
    assert len(write(path, model, variables, **settings)) == 3
    images = photos((1, 20, 31, 4)).astype(np.float32)  # Depth is no byte.
    ours = ask(path, images, ["logits_semantic", "logits_geometric"])
    theirs = apply(model, variables, images, DEPTH)
    for found, head in zip(ours, HEADS, strict=True):
        scale = np.abs(theirs[head]).max()
        np.testing.assert_allclose(found, theirs[head], rtol=0, atol=1e-5 * scale)
    props = {x.key: x.value for x in onnx.load(path).metadata_props}
    assert json.loads(props["classes"]) == names


def test_kinds_of_output_are_those_of_export():
    assert to_onnx.OUTPUTS is exported.OUTPUTS


@pytest.mark.long
def test_kinds_of_output(tmp_path, small):
    images = photos((2, 40, 33, 3))
    found = {}
    for output in to_onnx.OUTPUTS:
        path = tmp_path / f"{output}.onnx"
        options = {"output": output, "preprocessing": IMAGENET}
        checks = write(path, *small, **options)
        assert max(check.difference for check in checks) < 1e-5
        (found[output],) = ask(path, images, [output])
    logits = np.asarray(apply(*small, images, IMAGENET))
    probabilities = jax.nn.softmax(logits)
    np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-5)
    assert found["labels"].dtype == np.int32
    np.testing.assert_array_equal(found["labels"], logits.argmax(-1))
    assert len(np.unique(found["labels"])) > 1


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("precision", to_onnx.PRECISIONS)
def test_all_versions_of_the_operators(tmp_path, precision):
    """By onnxruntime, and by the evaluator of the standard itself."""
    model = fcn_jax.create("deconvnet", padding="same", **SMALL)
    variables = cases.random_variables(model)
    images, found = photos((1, 37, 50, 3)), []
    for opset in (to_onnx.LEAST_OPSET, 16, to_onnx.DEFAULT_OPSET, 18, 19, 20, 21, 22):
        path = tmp_path / f"{opset}.onnx"
        options = {"opset": opset, "precision": precision, "output": "probabilities"}
        assert write(path, model, variables, **options) == ()
        assert onnx.load(path).opset_import[0].version == opset
        found.append(ask(path, images)[0])
    (standard,) = ReferenceEvaluator(str(path)).run(None, {"images": images})
    found.append(standard)
    assert found[0].std() > 1e-2
    far = {"float32": 1e-6, "float16": 5e-3}[precision]
    for each in found[1:]:
        np.testing.assert_allclose(each, found[0], rtol=0, atol=far)


@pytest.mark.usefixtures("unchecked")
def test_what_is_told(tmp_path, small):
    path = tmp_path / "deep" / "net.onnx"
    write(path, *small, about={"step": 7, "void": 255, "scale": 0.5})
    model = onnx.load(path)
    props = {x.key: x.value for x in model.metadata_props}
    assert json.loads(props["classes"]) == ["a", "b", "c"]
    assert json.loads(props["palette"]) == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert json.loads(props["preprocessing"]) == CAFFE.to_dict()
    assert (props["void"], props["step"], props["scale"]) == ("255", "7", "0.5")
    assert (props["output"], props["precision"]) == ("logits", "float32")
    assert props["input"] == "uint8 RGB [n, h, w, 3]"
    assert props["fcn_jax"] == model.producer_version == fcn_jax.__version__
    assert [p.name for p in path.parent.iterdir()] == ["net.onnx"]


@pytest.mark.long
def test_a_fresh_network_scores_nothing(tmp_path):
    model = fcn_jax.create("fcn32s", padding="same", **SMALL)
    image = jnp.zeros((1, 8, 8, 3))
    variables = jax.jit(model.init)(jax.random.key(0), image)
    checks = write(tmp_path / "net.onnx", model, variables)
    assert [check.difference for check in checks] == [0, 0, 0]


@pytest.mark.long
def test_a_wrong_file_is_not_left(tmp_path, small, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_text("old")
    crop = layers.crop
    monkeypatch.setattr(
        layers, "crop", lambda graph, x, offset, size: crop(graph, x, offset + 1, size)
    )
    for output in to_onnx.OUTPUTS:
        with pytest.raises(
            ValueError, match=r"pixels onnxruntime .* away from .* tha"
        ) as e:
            write(path, *small, output=output)
        assert "nothing was written. this is a mistake of the export" in str(e.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_maps_that_float16_cannot_hold(tmp_path, small):
    model, variables = small
    params = {k: dict(v) for k, v in variables["params"].items()}
    params["conv3_3"]["kernel"] = params["conv3_3"]["kernel"] * 6e4
    variables = {"params": params}
    assert len(write(tmp_path / "net.onnx", model, variables)) == 3
    path = tmp_path / "half.onnx"
    with pytest.raises(ValueError, match=r"conv3_3 reach .*float16 holds .*=float32"):
        write(path, model, variables, precision="float16")
    assert not path.exists()


@pytest.mark.usefixtures("unchecked")
def test_what_onnx_does_not_take(tmp_path, small, monkeypatch):
    monkeypatch.setattr(layers, "crop", lambda graph, *x: graph.node("Cut", x[0]))
    with pytest.raises(ValueError, match=r"onnx.checker .* does not take the file \("):
        write(tmp_path / "net.onnx", *small)
    assert not list(tmp_path.iterdir())


def test_what_onnxruntime_does_not_take(tmp_path, small, monkeypatch):
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: 1 / 0)
    with pytest.raises(ValueError, match=r"take the file \(division .*lower --opset"):
        write(tmp_path / "net.onnx", *small)
    assert not list(tmp_path.iterdir())


def test_options_that_are_not_known(tmp_path, small):
    path = tmp_path / "net.onnx"
    newest = onnx.defs.onnx_opset_version()
    with pytest.raises(ValueError, match=r"opset=12 is too low; .* in 13 and later"):
        write(path, *small, opset=12)
    with pytest.raises(ValueError, match=rf"opset=99 is too high; .* 13 to {newest}"):
        write(path, *small, opset=99)
    with pytest.raises(ValueError, match=r"output='boxes' is not known; .* logits, pr"):
        write(path, *small, output="boxes")
    with pytest.raises(ValueError, match=r"precision='int8' is not known; .* float32,"):
        write(path, *small, precision="int8")
    with pytest.raises(ValueError, match=r"scores 3 classes, but there are 2 names an"):
        write(path, *small, classes=("a", "b"))
    with pytest.raises(ValueError, match=r"'depth' is for 4 channels, the network f"):
        write(path, *small, preprocessing=DEPTH)
    assert not list(tmp_path.iterdir())


def test_networks_that_are_not_known(tmp_path, small):
    path, (model, variables) = tmp_path / "net.onnx", small

    class Other(Network):
        pass

    class Sharper(fcn.FCN32s):
        def _score(self, *arguments):
            return super()._score(*arguments)

    class Gated(MadeUp):
        def _convolve(self, *arguments):
            return super()._convolve(*arguments)

    with_crf = crf.WithCRF(model, crf.CRF(3))
    for net, message in (
        (with_crf, r"FCN32s has a CRF behind it .*\(--nocrf\)"),
        (Other(model.encoder), r"network Other is not known in ONNX, only FCN, Decon"),
        (Sharper(model.encoder, 3), r"Sharper._score is not known .* of FCN is; exp"),
        (fcn.FCN(Gated(), 3), r"Gated._convolve is not known .* of Encoder is; export"),
    ):
        with pytest.raises(ValueError, match=message):
            write(path, net, variables)
    assert not list(tmp_path.iterdir())


def test_more_weights_than_a_file_holds(tmp_path, small, monkeypatch):
    monkeypatch.setattr(writing, "_MOST", 2**14)
    with pytest.raises(ValueError, match=r"MiB of weights in float32; an ONNX file ho"):
        write(tmp_path / "net.onnx", *small)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_what_was_there(tmp_path, small):
    path = tmp_path / "net.onnx"
    path.write_text("old")
    files.part_of(path).symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"net.onnx could not be written \(.*No space le"):
        write(path, *small)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"ONNX files needs onnx, .* \(the extra \[o"):
        to_onnx.require_onnx()


def test_without_onnxruntime(monkeypatch):
    assert checking.version() == onnxruntime.__version__
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert checking.version() == ""


def test_the_walk_follows_every_field_of_a_layer():
    """A field that is added to `Layer` has to be thought of in `to_onnx` too."""
    names = set(networks.Layer.__dataclass_fields__)
    assert names == {
        "name", "kind", "features", "kernel_size", "stride", "pad", "groups",
        "dilation", "overhang", "inputs", "batch_norm", "dropout", "alpha", "beta",
    }  # fmt: skip
