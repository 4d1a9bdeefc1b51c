"""Weights into DeepLab: the released files by their names, VGG-16's decimated."""

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax.weights import WeightsError, names, saving, surgery
from tests.support import cases
from tests.support import foreign_weights as foreign

MSC = "deeplab_msc_largefov"


def numbered(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.fixture(scope="module")
def vgg16():
    """The flat variables of a narrow VGG-16: 64 channels of fc6 and fc7."""
    model = foreign.create("fcn32s", fc_features=64 * 32)
    return foreign.trunk(foreign.drawn(model))


@pytest.mark.parametrize(
    ("name", "score"),
    (("deeplab", "fc8_pascal"), ("deeplab_largefov", "fc8_voc12"), (MSC, "fc8_voc12")),
)
def test_a_released_file_by_its_names(load, same, name, score):
    model = foreign.create(name)
    ours = foreign.drawn(model)
    blobs = foreign.caffe(ours)
    blobs[score] = blobs.pop("fc8_score")
    found, account = load(foreign.by_name(blobs), model, "caffemodel")
    same(found, ours)
    assert foreign.counts(account) == (len(ours), 0, 0, 0)


@pytest.mark.parametrize("suffix", (".npz", ".safetensors", ""))
def test_what_is_saved_is_read(tmp_path, suffix):
    model = foreign.create(MSC)
    variables = cases.random_variables(model)
    saving.save_weights(tmp_path / f"net{suffix}", variables, model)
    back, _ = fcn_jax.load_weights(tmp_path / f"net{suffix}", model)
    for ours, theirs in zip(
        jax.tree.leaves(variables), jax.tree.leaves(back), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_prefix_of_a_wrapper_is_taken_off(load, same):
    model = foreign.create(MSC)
    ours = foreign.drawn(model)
    arrays = {f"net.{name}": x for name, x in foreign.pytorch(ours).items()}
    found, _ = load(arrays, model)
    same(found, ours)


def test_taps_and_channels_by_hand():
    """0, 3, 6 of 7 taps and every fourth of 8 channels; 0, 2, 4, 6 for four taps."""
    kernel = numbered(7, 7, 3, 8)
    found = surgery.decimate(kernel, (3, 3, 3, 2))
    for r, c, i, o in np.ndindex(3, 3, 3, 2):
        assert found[r, c, i, o] == kernel[3 * r, 3 * c, i, 4 * o]
    found = surgery.decimate(kernel, (4, 4, 3, 8))
    np.testing.assert_array_equal(found, kernel[::2, ::2])
    np.testing.assert_array_equal(surgery.decimate(numbered(8), (2,)), [0, 4])
    np.testing.assert_array_equal(surgery.decimate(kernel, kernel.shape), kernel)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    (
        ((7, 7, 3, 8), (5, 5, 3, 8)),  # Six steps are no multiple of four.
        ((7, 7, 3, 8), (3, 3, 3, 5)),
        ((7, 7, 3, 8), (1, 1, 3, 8)),
        ((3, 3, 3, 8), (7, 7, 3, 8)),
        ((8,), (2, 2)),
        ((8,), (0,)),
    ),
)
def test_what_has_no_equal_steps(theirs, ours):
    assert surgery.decimate(numbered(*theirs), ours) is None


@pytest.mark.parametrize(
    ("shape", "layout", "side", "expected"),
    (
        ((5, 4 * 49), names.OIHW, 7, (7, 7, 4, 5)),
        ((1, 1, 5, 4 * 49), names.OIHW, 7, (7, 7, 4, 5)),  # V1 of Caffe.
        ((4 * 49, 5), names.HWIO, 7, (7, 7, 4, 5)),
        ((5, 4, 3, 3), names.OIHW, 7, (3, 3, 4, 5)),
        ((3, 3, 4, 5), names.HWIO, 7, (3, 3, 4, 5)),
        ((5, 4), names.OIHW, 1, (1, 1, 4, 5)),
        ((5, 4 * 48), names.OIHW, 7, None),
        ((5,), names.OIHW, 7, None),
    ),
)
def test_kernels_as_their_own_nets_have_them(shape, layout, side, expected):
    entry = names.Entry("fc6", "params/fc6/kernel", numbered(*shape), layout)
    found = surgery.as_convolution(entry, side)
    assert (None if found is None else found.shape) == expected


@pytest.mark.parametrize("form", ("caffemodel", "v1", "pytorch"))
def test_largefov_from_vgg16(load, vgg16, form):
    """fc6 takes taps 0, 3, 6 and every fourth of 64 channels, fc7 the same ones."""
    model = foreign.create("deeplab_largefov", fc_features=16 * 32)
    if form == "pytorch":
        found, account = load(foreign.torchvision(vgg16), model, inputs="caffe")
    else:
        blobs = foreign.caffe(vgg16)
        for layer in ("fc6", "fc7"):  # Fully connected, as in the authors' file.
            kernel, bias = blobs[layer]
            kernel = kernel.reshape(len(bias), -1)
            blobs[layer] = (kernel[None, None] if form == "v1" else kernel, bias)
        found, account = load(foreign.by_name(blobs), model, "caffemodel")
    kernel = vgg16["params/fc6/kernel"]
    assert kernel.shape == (7, 7, 16, 64)
    np.testing.assert_array_equal(found["params/fc6/kernel"], kernel[::3, ::3, :, ::4])
    np.testing.assert_array_equal(
        found["params/fc6/bias"], vgg16["params/fc6/bias"][::4]
    )
    np.testing.assert_array_equal(
        found["params/fc7/kernel"], vgg16["params/fc7/kernel"][:, :, ::4, ::4]
    )
    np.testing.assert_array_equal(
        found["params/conv5_3/kernel"], vgg16["params/conv5_3/kernel"]
    )
    assert "fc6 takes taps and channels of the file's at equal steps: 3x3x16x16" in (
        account
    )


def test_the_4x4_kernel_from_vgg16(load, vgg16):
    """fc7 is taken whole, and of fc6 every second tap."""
    model = foreign.create("deeplab", fc_features=64 * 32)
    found, account = load(foreign.by_name(foreign.caffe(vgg16)), model, "caffemodel")
    expected = vgg16["params/fc6/kernel"][::2, ::2]
    np.testing.assert_array_equal(found["params/fc6/kernel"], expected)
    for name in ("params/fc6/bias", "params/fc7/kernel"):
        np.testing.assert_array_equal(found[name], vgg16[name])
    assert "fc7 takes" not in account


def test_7x7_takes_vgg16_whole(load, vgg16):
    model = foreign.create("deeplab_7x7", fc_features=64 * 32)
    found, account = load(foreign.by_name(foreign.caffe(vgg16)), model, "caffemodel")
    for name, x in vgg16.items():
        np.testing.assert_array_equal(found[name], x)
    assert "equal steps" not in account


@pytest.mark.parametrize(
    ("name", "fc_features"),
    (
        ("deeplab_largefov", 10 * 32),  # 64 is no multiple of 10.
        ("fcn32s", 16 * 32),  # Nothing is decimated for VGG-16 itself.
    ),
)
def test_what_cannot_be_decimated_is_refused(load, vgg16, name, fc_features):
    model = foreign.create(name, fc_features=fc_features)
    with pytest.raises(WeightsError, match=r"fc6/kernel is 64x16x7x7, in the net"):
        load(foreign.by_name(foreign.caffe(vgg16)), model, "caffemodel")


def test_scores_of_other_classes_are_told(load):
    model = foreign.create("deeplab_largefov")
    arrays = foreign.by_name(foreign.caffe(foreign.drawn(model)))
    other = foreign.create("deeplab_largefov", num_classes=5)
    with pytest.raises(WeightsError, match="create the net with num_classes=3, or"):
        load(arrays, other, "caffemodel")
