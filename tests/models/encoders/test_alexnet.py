"""FCN-AlexNet: the layer list of the prototxt, its geometry, its files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax.models import fcn
from fcn_jax.models.encoders import AlexNet, alexnet
from fcn_jax.models.encoders.layer import smallest_side
from fcn_jax.weights import saving
from fcn_jax.weights.errors import WeightsError
from tests.support import cases
from tests.support import foreign_weights as foreign

IMAGE_SHAPES = ((500, 500), (375, 500), (224, 224), (32, 32), (1, 1), (499, 333))
# Sides of the maps, by hand: convolutions round down, poolings up.
WORKED_SHAPES = {
    "conv1": ((173, 173), (142, 173), (104, 104), (56, 56), (48, 48), (173, 131)),
    "pool1": ((86, 86), (71, 86), (52, 52), (28, 28), (24, 24), (86, 65)),
    "pool2": ((43, 43), (35, 43), (26, 26), (14, 14), (12, 12), (43, 32)),
    "pool5": ((21, 21), (17, 21), (13, 13), (7, 7), (6, 6), (21, 16)),
    "fc7": ((16, 16), (12, 16), (8, 8), (2, 2), (1, 1), (16, 11)),
}
SMALL = {"width": 1 / 16, "fc_features": 256}


def create(name="fcn_alexnet", **options):
    return fcn_jax.create(name, 3, **SMALL | options)


def of_convolutions(module, method):
    return module.name in WORKED_SHAPES


@pytest.mark.parametrize("column", range(len(IMAGE_SHAPES)))
def test_worked_shapes(column):
    model = fcn_jax.create("fcn_alexnet")
    image = jax.ShapeDtypeStruct((1, *IMAGE_SHAPES[column], 3), jnp.float32)

    def run(variables, image):
        features = model.encoder.apply(
            variables, image, capture_intermediates=of_convolutions,
            mutable=["intermediates"],
        )  # fmt: skip
        return features[0].maps, features[1]["intermediates"]

    variables = cases.variable_shapes(model.encoder)
    maps, found = jax.eval_shape(run, variables, image)
    maps |= {name: each["__call__"][0] for name, each in found.items()}
    for name, shapes in WORKED_SHAPES.items():
        assert maps[name].shape[1:3] == shapes[column], name
    logits = jax.eval_shape(model.apply, cases.variable_shapes(model), image)
    assert logits.shape == (1, *IMAGE_SHAPES[column], 21)


def test_pooling_comes_before_lrn_and_in_bvlc_alexnet_after_it():
    def order(**options):
        return [layer.name for layer in alexnet.layer_list(**options)]

    rest = ["conv3", "conv4", "conv5", "pool5", "fc6", "fc7"]
    ours = ["conv1", "pool1", "norm1", "conv2", "pool2", "norm2", *rest]
    assert order() == ours
    theirs = ["conv1", "norm1", "pool1", "conv2", "norm2", "pool2", *rest]
    assert order(norm_first=True) == theirs
    norms = [layer for layer in alexnet.layer_list() if layer.kind == "lrn"]
    assert {(n.kernel_size, n.alpha, n.beta) for n in norms} == {(5, 1e-4, 0.75)}


def test_receptive_field_centres_and_offset():
    """355 pixels a cell of fc7, which is centred on image pixel 32 m + 13."""
    field, stride = 1, 1
    for layer in alexnet.layer_list():
        field += (layer.window if layer.kind != "lrn" else 1) * stride - stride
        stride *= layer.stride
    assert (field, stride) == (355, 32)
    cells = AlexNet().coordinate_maps()["fc7"]
    assert (1 / cells.scale, -cells.shift / cells.scale) == (32, 13)
    (step,) = fcn.upsampling_steps(AlexNet(), ())
    assert (step.name, step.kernel_size, step.offset) == ("upscore", 63, 18)


def test_the_crop_is_in_bounds_for_every_size():
    """15 to 46 rows are left after it, whatever the height."""
    left = set()
    for side in range(1, 600):
        n = (side + 200 - 11) // 4 + 1
        for _ in range(3):
            n = -((3 - n) // 2) + 1
        cells = n - 5
        left.add(32 * (cells - 1) + 63 - 18 - side)
    assert (min(left), max(left)) == (15, 46)


def test_the_crops_of_skips_are_in_bounds_for_every_size():
    for side in range(1, 600):
        pool1 = -((3 - ((side + 200 - 11) // 4 + 1)) // 2) + 1
        pool2 = -((3 - pool1) // 2) + 1
        fc7 = -((3 - pool2) // 2) + 1 - 5
        first = 2 * fc7 + 1
        second = 2 * first + 1
        assert 5 + first <= pool2
        assert 10 + second <= pool1
        assert 8 * (second - 1) + 15 - 18 >= side


@pytest.mark.parametrize(
    ("name", "expected"),
    (
        ("fcn16s", [("upscore2", 3, 5), ("upscore16", 31, 18)]),
        ("fcn8s", [("upscore2", 3, 5), ("upscore_pool2", 3, 10), ("upscore8", 15, 18)]),
    ),
)
def test_skips(name, expected):
    """By hand: cells of pool2 lie on 16 m - 83, of pool1 on 8 m - 91."""
    model = create(name, encoder="alexnet")
    steps = fcn.upsampling_steps(model.encoder, model.skips)
    assert [(s.name, s.kernel_size, s.offset) for s in steps] == expected
    assert set(cases.variable_shapes(model)["params"]) >= {
        f"score_{skip}" for skip in model.skips
    }


def test_channels_stay_even_for_the_groups():
    # A 32nd of 96 is 3, which two groups do not split.
    assert alexnet.layer_list(width=1 / 32)[0].features == 4
    assert alexnet.layer_list(width=0.5)[0].features == 48


def test_the_smallest_image_of_the_classifier():
    """48 cells of conv1 hold 23.5 of pool1, rounded up; 11.5; 5.5, and 6 are needed."""
    assert smallest_side(alexnet.layer_list("valid")) == 199
    assert AlexNet().smallest_image == 1


def test_an_image_has_the_logits_that_it_has_alone():
    model = create("fcn8s", encoder="alexnet")
    variables = cases.random_variables(model)
    images = cases.random_images((2, 37, 51))
    sizes = jnp.array([(37, 30), (22, 51)], jnp.int32)
    apply = cases.quick_jit(model.apply)
    outside = np.ones(images.shape[:3], bool)
    for n, (height, width) in enumerate(sizes.tolist()):
        outside[n, :height, :width] = False
    together = apply(variables, images, sizes)
    padded = apply(variables, jnp.where(outside[..., None], jnp.nan, images), sizes)
    np.testing.assert_array_equal(padded, together)
    for n, (height, width) in enumerate(sizes.tolist()):
        alone = apply(variables, images[n : n + 1, :height, :width])
        scale = np.abs(alone).max()
        np.testing.assert_allclose(
            together[n : n + 1, :height, :width], alone, atol=1e-5 * scale
        )


def test_every_parameter_gets_a_gradient():
    model = create("fcn8s", encoder="alexnet", upsampling="learned")
    variables = cases.random_variables(model)
    images = cases.random_images((1, 24, 40))
    pull = cases.random_images((1, 24, 40), seed=1)

    @cases.quick_jit
    def gradient(params):
        def loss(params):
            return jnp.vdot(model.apply({"params": params}, images), pull)

        return jax.grad(loss)(params)

    for path, leaf in jax.tree.leaves_with_path(gradient(variables["params"])):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(leaf).all(), name
        assert np.abs(leaf).max() > 0, name


@pytest.mark.parametrize(
    ("options", "message"),
    (
        (
            {"padding": "same"},
            "padding='same' is not known; choose one of caffe, valid",
        ),
        ({"width": 0}, "width=0 and fc_features=256 must be positive; .* AlexNet"),
        ({"fc_features": -1}, "fc_features=-1 must be positive"),
    ),
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        cases.variable_shapes(create(**options))


def test_a_padding_that_only_classifiers_have():
    with pytest.raises(ValueError, match="padding='valid' is not known; .* of caffe"):
        cases.variable_shapes(create(padding="valid"))


def test_the_net_on_another_encoder():
    with pytest.raises(
        ValueError,
        match="FCNAlexNet is FCN-32s on AlexNet, not on VGG16; create fcn32s with",
    ):
        create(encoder="vgg16")


@pytest.fixture(scope="module")
def ours():
    return foreign.drawn(create())


def blobs(ours, **renamed):
    """As bvlc_reference_caffenet has them: dense layers, fc8, no scores."""
    found = {n: x for n, x in foreign.caffe(ours).items() if n != "score_fr"}
    for layer in ("fc6", "fc7"):
        kernel, bias = found[layer]
        found[layer] = (kernel.reshape(kernel.shape[0], -1), bias)
    found["fc8"] = (np.ones((1000, 16)), np.ones(1000))
    return {renamed.get(name, name): x for name, x in found.items()}


@pytest.mark.parametrize("v1", (False, True))
def test_caffenet_is_a_start(tmp_path, ours, v1):
    """Grouped kernels as they are, dense layers as convolutions, scores at zero."""
    path = tmp_path / "bvlc_reference_caffenet.caffemodel"
    path.write_bytes(foreign.caffemodel(blobs(ours), v1=v1, net="CaffeNet"))
    found, report = fcn_jax.load_weights(path, create())
    found = foreign.flat(found)
    assert found["params/conv2/kernel"].shape == (5, 5, 3, 16)
    for name, x in ours.items():
        if "score_fr" in name:
            assert not found[name].any()
        else:
            np.testing.assert_array_equal(found[name], x, err_msg=name)
    assert not report.mismatched
    assert set(report.unexpected) == {"fc8/0", "fc8/1"}


def test_names_of_the_fully_convolutional_caffenet(tmp_path, ours):
    path = tmp_path / "full_conv.caffemodel"
    renamed = blobs(ours, fc6="fc6-conv", fc7="fc7-conv", fc8="fc8-conv")
    path.write_bytes(foreign.caffemodel(renamed, net="CaffeNetConv"))
    found, _ = fcn_jax.load_weights(path, create())
    np.testing.assert_array_equal(
        found["params"]["fc6"]["kernel"], ours["params/fc6/kernel"]
    )


def test_the_released_fcn_alexnet(tmp_path, ours):
    """Names of voc-fcn-alexnet; its upscore of 63 is bilinear, and stored."""
    from fcn_jax.ops import bilinear

    path = tmp_path / "fcn-alexnet-pascal.caffemodel"
    both = foreign.caffe(ours)
    both["upscore"] = (bilinear.bilinear_kernel(63, 3).transpose(2, 3, 0, 1),)
    path.write_bytes(foreign.caffemodel(both, net=""))
    found, report = fcn_jax.load_weights(path, create())
    for name, x in ours.items():
        np.testing.assert_array_equal(foreign.flat(found)[name], x, err_msg=name)
    assert any("upscore/0 is bilinear" in note for note in report.notes)


@pytest.mark.parametrize("strict", (True, False))
@pytest.mark.parametrize(
    ("net", "norm_first", "message"),
    (
        ("AlexNet", False, "its net is AlexNet, with LRN before the poolings, and this "
         "one has it after them: .* create the net with norm_first=True"),
        ("CaffeNet", True, "its net is CaffeNet, with LRN after .* norm_first=False"),
    ),
)  # fmt: skip
def test_the_two_releases_are_told_apart(
    tmp_path, ours, net, norm_first, message, strict
):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(foreign.caffemodel(blobs(ours), net=net))
    with pytest.raises(WeightsError, match=message):
        fcn_jax.load_weights(path, create(norm_first=norm_first), strict=strict)
    found, _ = fcn_jax.load_weights(path, create(norm_first=not norm_first))
    np.testing.assert_array_equal(
        found["params"]["conv4"]["kernel"], ours["params/conv4/kernel"]
    )


def test_torchvision_s_alexnet_is_refused(tmp_path):
    """Its fc6 and fc7 would fit."""
    safetensors = pytest.importorskip("safetensors.numpy")
    kernels = {"features.0": (64, 3, 11, 11), "features.3": (192, 64, 5, 5),
               "classifier.1": (4096, 9216), "classifier.4": (4096, 4096)}  # fmt: skip
    arrays = {f"{n}.weight": np.ones((1, 1, *s[2:]), np.float32)
              for n, s in kernels.items()}  # fmt: skip
    path = tmp_path / "alexnet.safetensors"
    safetensors.save_file(arrays, path)
    message = "torchvision's alexnet, which is another network .*no groups, no LRN"
    with pytest.raises(WeightsError, match=message):
        fcn_jax.load_weights(path, create(), strict=False)


def test_keras_has_no_alexnet():
    encoder = AlexNet()
    from fcn_jax.models.encoders.foreign import StoredLayers

    found = encoder.objection(StoredLayers("Keras", {"conv1_conv": (7, 7, 3, 64)}))
    assert "whose applications have no AlexNet" in found.found
    own = dict.fromkeys(("conv1", "conv2", "conv5"), (3, 3, 1, 1))
    assert encoder.objection(StoredLayers("Keras", own)) is None


@pytest.mark.parametrize("name", ("net.npz", "net.safetensors", "run"))
def test_what_is_saved_is_read_again(tmp_path, ours, name):
    """A skip net on AlexNet: its file says on which encoder it is."""
    from fcn_jax.config import build
    from fcn_jax.config import workdir as workdirs

    model = create("fcn16s", encoder="alexnet")
    variables = cases.random_variables(model)
    saving.save_weights(tmp_path / name, variables, model)
    if name == "run":
        config = workdirs.config_of_run(str(tmp_path / name))
        assert build.make_model(config).skips == ("pool2",)
    back, _ = fcn_jax.load_weights(tmp_path / name, model)
    for (path, x), y in zip(
        jax.tree.leaves_with_path(variables), jax.tree.leaves(back), strict=True
    ):
        np.testing.assert_array_equal(x, y, err_msg=jax.tree_util.keystr(path))
