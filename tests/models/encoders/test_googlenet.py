"""FCN-GoogLeNet: the blocks of the paper, their geometry, their files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax.models import fcn
from fcn_jax.models.encoders import GoogLeNet, googlenet
from fcn_jax.models.encoders.foreign import StoredLayers
from fcn_jax.models.encoders.layer import smallest_side
from fcn_jax.weights.errors import WeightsError
from tests.support import cases, classifiers
from tests.support import foreign_weights as foreign

# Output channels and side at 224 pixels, of Szegedy et al. 2015, table 1.
TABLE_1 = {
    "pool1": (64, 56), "pool2": (192, 28), "inception_3a_output": (256, 28),
    "inception_3b_output": (480, 28), "pool3": (480, 14),
    "inception_4a_output": (512, 14), "inception_4b_output": (512, 14),
    "inception_4c_output": (512, 14), "inception_4d_output": (528, 14),
    "inception_4e_output": (832, 14), "pool4": (832, 7),
    "inception_5a_output": (832, 7), "inception_5b_output": (1024, 7),
}  # fmt: skip


def create(name="fcn_googlenet", **options):
    return fcn_jax.create(name, 3, **{"width": 1 / 8} | options)


def test_the_maps_are_those_of_the_paper():
    encoder = GoogLeNet(padding="valid")
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    variables = cases.variable_shapes(encoder)
    maps = jax.eval_shape(encoder.apply, variables, image).maps
    found = {name: (maps[name].shape[3], maps[name].shape[1]) for name in TABLE_1}
    assert found == TABLE_1


def test_blocks_are_joined_in_caffe_s_order():
    """1x1, 3x3, 5x5, pooling: the kernel after it would else meet other channels."""
    blocks = [x for x in googlenet.layer_list() if x.kind == "concat"]
    assert len(blocks) == 9
    for layer in blocks:
        stem = layer.name.removesuffix("output")
        ends = ("1x1", "3x3", "5x5", "pool_proj")
        assert layer.inputs == tuple(stem + end for end in ends)
    assert [x.dropout for x in blocks] == [""] * 8 + ["drop"]


def test_twenty_two_layers_deep():
    """Of the paper's 22 the last is the classifier; a block counts two."""
    convolutions = GoogLeNet().convolutions()
    in_blocks = [name for name in convolutions if name.startswith("inception")]
    assert (len(convolutions) - len(in_blocks), len(in_blocks)) == (3, 6 * 9)
    assert 3 + 2 * 9 + 1 == 22


def test_receptive_field_centres_and_offset():
    """715 pixels a cell of the last block; 907 with the average pooling."""
    field, stride = 1, 1
    for layer in googlenet.layer_list():
        aside = layer.name.endswith(("_1x1", "_3x3_reduce", "_pool", "_pool_proj"))
        narrower = "inception" in layer.name and layer.name.endswith("_3x3")
        if aside or narrower or layer.kind in ("lrn", "concat"):
            continue
        field += (layer.window - 1) * stride
        stride *= layer.stride
    assert (field, field + 6 * stride, stride) == (715, 907, 32)
    encoder = GoogLeNet()
    cells = encoder.coordinate_maps()[encoder.top]
    assert (1 / cells.scale, -cells.shift / cells.scale) == (32, -67)
    (step,) = fcn.upsampling_steps(encoder, ())
    assert (step.kernel_size, step.offset) == (63, 98)


def test_the_crop_is_in_bounds_for_every_size():
    for side in range(1, 600):
        n = (side + 200 - 7) // 2 + 1
        for _ in range(4):
            n = -((3 - n) // 2) + 1
        assert 32 * (n - 1) + 63 - 98 >= side


def test_the_crops_of_skips_are_in_bounds_for_every_size():
    """Upsampled cells reach a row further than those of the skip, or as far."""
    for side in range(1, 600):
        pool2 = (side + 200 - 7) // 2 + 1
        for _ in range(2):
            pool2 = -((3 - pool2) // 2) + 1
        pool3 = -((3 - pool2) // 2) + 1
        pool4 = -((3 - pool3) // 2) + 1
        assert pool3 <= 2 * pool4 + 1
        assert pool2 <= 2 * pool3 + 1
        assert 8 * (pool2 - 1) + 15 - 98 >= side


def test_skips():
    model = create("fcn8s", encoder="googlenet")
    steps = fcn.upsampling_steps(model.encoder, model.skips)
    assert model.skips == ("pool3", "pool2")
    # By hand: upsampled cells lie on 16 m - 83, which is where pool3 has them.
    assert [(s.name, s.kernel_size, s.offset) for s in steps] == [
        ("upscore2", 3, 0), ("upscore_pool3", 3, 0), ("upscore8", 15, 98)
    ]  # fmt: skip


def test_the_smallest_image_of_the_classifier():
    assert smallest_side(googlenet.layer_list("valid")) == 31
    assert GoogLeNet().smallest_image == 1


@pytest.mark.slow
def test_an_image_has_the_logits_that_it_has_alone():
    check_sizes(create("fcn8s", encoder="googlenet"))
    check_sizes(create())


class Short(GoogLeNet):
    """All kinds of its layers, up to the first block."""

    top = "inception_3a_output"

    def layers(self):
        names = [layer.name for layer in super().layers()]
        return super().layers()[: names.index(self.top) + 1]


def test_an_image_has_the_logits_that_it_has_alone_after_a_block():
    check_sizes(fcn.FCN32s(encoder=Short(width=1 / 8), num_classes=3))


def check_sizes(model):
    variables = cases.random_variables(model)
    images = cases.random_images((2, 29, 38))
    apply = cases.quick_jit(model.apply)
    sizes = jnp.array([(29, 38), (17, 26)], jnp.int32)
    inside = np.zeros(images.shape[:3], bool)
    inside[0], inside[1, :17, :26] = True, True
    padded = jnp.where(inside[..., None], images, jnp.nan)
    together = apply(variables, padded, sizes)
    alone = apply(variables, images[1:, :17, :26])
    scale = np.abs(alone).max()
    np.testing.assert_allclose(together[1:, :17, :26], alone, atol=1e-5 * scale)


def test_dropout_is_that_of_the_release():
    assert create().encoder.dropout_rate == 0.4


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"padding": "same"}, "padding='same' is not known; choose one of caffe"),
        ({"width": 0}, "width=0 must be positive; width=1 makes GoogLeNet"),
    ),
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        cases.variable_shapes(create(**options))


def test_the_net_on_another_encoder():
    with pytest.raises(ValueError, match="FCNGoogLeNet is FCN-32s on GoogLeNet"):
        create(encoder="alexnet")


@pytest.mark.long
def test_bvlc_googlenet_is_a_start(tmp_path):
    path = tmp_path / "bvlc_googlenet.caffemodel"
    blobs = classifiers.write(path, "googlenet")
    found, report = fcn_jax.load_weights(path, create())
    params = found["params"]
    kernel = blobs["inception_4a/5x5_reduce"][0]
    np.testing.assert_array_equal(
        params["inception_4a_5x5_reduce"]["kernel"], kernel.transpose(2, 3, 1, 0)
    )
    assert len(report.matched) == 2 * 57
    assert report.missing == ("params/score_fr/bias", "params/score_fr/kernel")
    left = {name.rpartition("/")[0] for name in report.unexpected}
    assert left == {"loss1/classifier", "loss2/fc", "loss3/classifier"}


@pytest.mark.parametrize(
    ("names", "message"),
    (
        (
            ("conv1.conv", "conv1.bn", "inception3a.branch1.conv"),
            "torchvision's googlenet, which is another network .BatchNorm",
        ),
        (("Conv2d_1a_3x3.conv", "Mixed_5b.branch1x1.conv"), "an Inception-v3"),
    ),
)
def test_other_inceptions_are_refused(tmp_path, names, message):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {f"{name}.weight": np.ones((4, 3, 1, 1), np.float32) for name in names}
    path = tmp_path / "googlenet.safetensors"
    safetensors.save_file(arrays, path)
    with pytest.raises(WeightsError, match=message):
        fcn_jax.load_weights(path, create(), strict=False)


def test_keras_has_no_googlenet():
    stored = StoredLayers("Keras", {"conv2d": (3, 3, 3, 32)})
    assert "InceptionV3 is another" in GoogLeNet().objection(stored).found
    own = dict.fromkeys((googlenet.FIRST, "inception_3a_1x1"), (1, 1, 1, 1))
    assert GoogLeNet().objection(StoredLayers("Keras", own)) is None


def test_names_of_caffe_and_ours():
    ours = {layer.name for layer in googlenet.layer_list() if layer.kind == "conv"}
    theirs = {classifiers.caffe_name(name) for name in ours}
    assert {"conv1/7x7_s2", "inception_5b/pool_proj"} < theirs
    found = GoogLeNet.foreign_names("Caffe", theirs | {"loss3/classifier"})
    assert {found[name] for name in theirs} == ours
    assert found["loss3/classifier"] == "fc8"


@pytest.mark.long
def test_weights_of_a_run_start_one_with_skips(tmp_path):
    """As FCN-16s starts from FCN-32s; the score of the skip has the name of VGG's."""
    from fcn_jax.weights import saving

    whole = create()
    variables = cases.random_variables(whole)
    saving.save_weights(tmp_path / "run.npz", variables, whole)
    model = create("fcn16s", encoder="googlenet")
    back, report = fcn_jax.load_weights(tmp_path / "run.npz", model, strict=False)
    assert report.missing == ("params/score_pool3/bias", "params/score_pool3/kernel")
    np.testing.assert_array_equal(
        back["params"]["score_fr"]["kernel"], variables["params"]["score_fr"]["kernel"]
    )
    saving.save_weights(tmp_path / "16.npz", back, model)
    again, _ = fcn_jax.load_weights(tmp_path / "16.npz", model)
    assert foreign.flat(again).keys() == foreign.flat(back).keys()
