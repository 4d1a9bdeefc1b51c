"""A made-up encoder of every kind of layer, from layer list to weight files.

What it takes to add a backbone: the class (tests/support/encoders.py here, a file of
fcn_jax/models/encoders there) and a line of ENCODERS; no other file of the package.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

import fcn_jax
from fcn_jax.models import encoders, fcn, layers
from fcn_jax.models.encoders import Encoder, Layer
from fcn_jax.storage import trees
from fcn_jax.weights import saving
from tests.support import cases
from tests.support.encoders import MadeUp

SKIPS = ("mixed",)


@pytest.fixture(scope="module")
def net():
    """FCN with one skip on the made-up encoder, its variables drawn."""
    model = fcn.FCN(encoder=MadeUp(), num_classes=3, skips=SKIPS)
    return model, cases.random_variables(model)


def test_a_convolution_with_stride_groups_and_dilation_against_loops(key):
    x = np.asarray(jax.random.normal(key, (1, 9, 8, 4)))
    conv = layers.Conv(6, 3, 1, stride=2, groups=2, dilation=2)
    variables = cases.random_variables(_Alone(conv, x.shape))
    kernel = np.asarray(variables["params"]["kernel"])
    assert kernel.shape == (3, 3, 2, 6)
    ours = conv.apply(variables, jnp.asarray(x))
    padded = np.pad(x[0], ((1, 1), (1, 1), (0, 0)))
    for row, column, out in np.ndindex(*ours.shape[1:]):
        group = out // 3
        window = padded[2 * row : 2 * row + 5 : 2, 2 * column : 2 * column + 5 : 2]
        part = window[:, :, 2 * group : 2 * group + 2]
        expected = (part * kernel[:, :, :, out]).sum() + variables["params"]["bias"][
            out
        ]
        np.testing.assert_allclose(ours[0, row, column, out], expected, atol=1e-5)


class _Alone:
    """A layer, seen by the helper that draws variables as a model is."""

    def __init__(self, layer, shape):
        self.init = lambda key, image: layer.init(key, jnp.zeros(shape))


def test_groups_that_do_not_divide():
    with pytest.raises(ValueError, match="4 input and 6 output .* into 4 groups"):
        layers.Conv(6, 3, groups=4).init(jax.random.key(0), jnp.ones((1, 5, 5, 4)))


def test_branches_are_concatenated_in_order():
    shapes = cases.variable_shapes(MadeUp())["params"]
    assert shapes["fc"]["kernel"].shape == (3, 3, 4 + 6 + 8, 10)
    assert shapes["conv2"]["kernel"].shape == (3, 3, 4, 8)  # Two groups of four.


class Dropping(Encoder):
    """Dropout behind what is concatenated, as at the end of GoogLeNet."""

    top = "both"

    def layers(self):
        a = Layer("a", "conv", 6)
        return (a, Layer("both", "concat", inputs=("a", "a"), dropout="drop"))


def test_dropout_behind_a_concatenation():
    encoder = Dropping(dropout_rate=0.25)
    variables = cases.random_variables(encoder)
    images = cases.random_images((1, 40, 40))
    whole = np.asarray(encoder.apply(variables, images).maps["both"])
    rngs = {"dropout": jax.random.key(0)}
    found = encoder.apply(variables, images, train=True, rngs=rngs).maps["both"]
    kept = np.asarray(found) != 0
    np.testing.assert_allclose(found, np.where(kept, whole / 0.75, 0), rtol=1e-6)
    share = kept[whole > 0].mean()
    assert abs(share - 0.75) < 0.02  # Some 9600 draws.


def test_offsets_follow_from_the_list():
    """By hand: a cell of `mixed` is centred on 4 m + 2 + 2 - 40, of `fc` on 8 m + 6."""
    encoder = MadeUp()
    assert encoder.stride == 8
    maps = encoder.coordinate_maps()
    assert (maps["mixed"].scale, maps["mixed"].shift) == (1 / 4, (40 - 4) / 4)
    steps = fcn.upsampling_steps(encoder, SKIPS)
    assert [(s.name, s.kernel_size, s.factor) for s in steps] == [
        ("upscore2", 4, 2), ("upscore4", 7, 4)
    ]  # fmt: skip
    for step in steps:
        assert isinstance(step.offset, int)


@pytest.mark.parametrize("shape", ((1, 1), (17, 30), (32, 23), (40, 41)))
def test_logits_are_as_large_as_the_image(net, shape):
    model, variables = net
    image = jax.ShapeDtypeStruct((2, *shape, 3), jnp.float32)
    assert jax.eval_shape(model.apply, variables, image).shape == (2, *shape, 3)


def test_an_image_has_the_logits_that_it_has_alone(net):
    model, variables = net
    apply = cases.quick_jit(model.apply)
    images = cases.random_images((3, 37, 41))
    sizes = jnp.array([(37, 41), (20, 33), (9, 14)], jnp.int32)
    together = apply(variables, images, sizes)
    for n, (height, width) in enumerate(sizes.tolist()):
        alone = apply(variables, images[n : n + 1, :height, :width])
        np.testing.assert_allclose(
            together[n, :height, :width], alone[0], atol=2e-5, err_msg=str(n)
        )


def test_every_parameter_has_a_gradient(net):
    model, variables = net
    images = cases.random_images((1, 24, 20))

    @cases.quick_jit
    def gradient(params):
        def loss(params):
            logits, _ = model.apply(
                {**variables, "params": params}, images, train=True,
                rngs={"dropout": jax.random.key(0)}, mutable=["batch_stats"],
            )  # fmt: skip
            return jnp.square(logits).sum()

        return jax.grad(loss)(params)

    found = trees.flatten(gradient(variables["params"]))
    for name, g in found.items():
        if name != "fc/bias":  # BatchNorm takes it away.
            assert np.abs(g).max() > 0, name


@pytest.mark.parametrize("name", ("net.npz", "net.safetensors"))
def test_weights_are_written_and_read(net, tmp_path, monkeypatch, name):
    monkeypatch.setitem(encoders.ENCODERS, "made_up", MadeUp)
    model = fcn_jax.create("fcn32s", 3, encoder="made_up", upsampling="fixed")
    variables = cases.random_variables(model)
    saving.save_weights(tmp_path / name, variables, model)
    back, _ = fcn_jax.load_weights(tmp_path / name, model)
    for (path, x), y in zip(
        jax.tree.leaves_with_path(variables), jax.tree.leaves(back), strict=True
    ):
        np.testing.assert_array_equal(x, y, err_msg=jax.tree_util.keystr(path))


def test_its_own_table_translates_names(net, tmp_path):
    """A file of another project, whose names the class knows."""
    model = fcn.FCN(encoder=MadeUp(), num_classes=3)
    variables = cases.random_variables(model)
    ours = saving.to_pytorch(variables, fcn.FCN(encoder=MadeUp(), num_classes=3))
    theirs = {
        "conv1": "stem.0", "conv2": "stem.1", "branch_a": "mix.a",
        "branch_b": "mix.b", "fc": "head.0", "bnfc": "head.1",
    }  # fmt: skip
    renamed = {}
    for name, x in ours.items():
        layer, _, part = name.rpartition(".")
        renamed[f"{theirs.get(layer, layer)}.{part}"] = x
    import safetensors.numpy

    safetensors.numpy.save_file(renamed, tmp_path / "theirs.safetensors")
    back, _ = fcn_jax.load_weights(tmp_path / "theirs.safetensors", model)
    np.testing.assert_array_equal(
        back["params"]["branch_b"]["kernel"], variables["params"]["branch_b"]["kernel"]
    )
    np.testing.assert_array_equal(
        back["batch_stats"]["bnfc"]["var"], variables["batch_stats"]["bnfc"]["var"]
    )


@pytest.mark.parametrize("channels", (1, 3, 4, 6))
def test_images_of_any_number_of_channels(channels):
    model = fcn_jax.create("fcn32s", 2, width=1 / 64, fc_features=64, channels=channels)
    shapes = cases.variable_shapes(model)["params"]
    assert shapes["conv1_1"]["kernel"].shape == (3, 3, channels, 1)
    with pytest.raises(ValueError, match=rf"expected \[N, H, W, {channels}\]"):
        model.init(jax.random.key(0), jnp.ones((1, 8, 8, channels + 1)))


def test_a_layer_of_an_unknown_kind():
    with pytest.raises(ValueError, match="'x': kind='norm' is not known; choose one"):
        Layer("x", "norm")


def test_an_encoder_without_layers():
    with pytest.raises(TypeError, match=r"Encoder defines no layers\(\)"):
        Encoder().layers()


def test_an_unknown_encoder():
    with pytest.raises(ValueError, match=r"encoder 'vgg' .*\(did you mean 'vgg16'\?"):
        fcn_jax.create("fcn8s", encoder="vgg")


def test_an_encoder_without_skips(monkeypatch):
    monkeypatch.setitem(encoders.ENCODERS, "made_up", MadeUp)
    message = (
        "FCN16s scores a map of stride 16, of which MadeUp has none; its skips are "
        "none: create fcn32s, which has no skip"
    )
    with pytest.raises(ValueError, match=message):
        fcn_jax.create("fcn16s", encoder="made_up")


def test_an_encoder_with_one_skip():
    class One(MadeUp):
        skips = FrozenDict({16: "pool2"})

    with pytest.raises(ValueError, match=r"stride 8, .*skips are pool2 \(stride 16\)"):
        fcn_jax.create("fcn8s", encoder=One())


def test_a_skip_that_is_no_layer():
    with pytest.raises(ValueError, match=r"skip 'pool5' is no layer of MadeUp"):
        fcn.upsampling_steps(MadeUp(), ("pool5",))


class Crooked(MadeUp):
    """Branches that do not lie over each other."""

    def layers(self):
        a = Layer("a", "conv", 2, kernel_size=3)
        return (a, Layer("b", "conv", 2, inputs=("a",), kernel_size=3),
                Layer("fc", "concat", inputs=("a", "b")))  # fmt: skip


def test_branches_that_lie_apart():
    with pytest.raises(ValueError, match="'fc': its inputs a, b lie differently"):
        Crooked().coordinate_maps()
