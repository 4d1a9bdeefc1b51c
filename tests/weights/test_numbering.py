"""Layers by number: taken where the file's convolutions are those of the encoder."""

import numpy as np
import pytest

from fcn_jax.weights import WeightsError
from tests.support import cases
from tests.support import foreign_weights as foreign

LEGACY = {"form": "{layer}/{layer}/{part}:0", "parts": ("kernel", "bias")}
FORMS = pytest.mark.parametrize("form", ({}, LEGACY), ids=("keras 3", "legacy"))
STRICTLY = pytest.mark.parametrize("strict", (True, False))


@pytest.fixture(scope="module")
def trunk(fcn8s):
    return foreign.trunk(fcn8s[1])


@pytest.fixture(scope="module")
def convolutions(trunk):
    return foreign.in_order(trunk, foreign.CONVS)


@pytest.fixture
def start(fcn8s):
    return cases.random_variables(fcn8s[0], seed=1)


def convolution(given, made, side=3):
    """One of a person's own."""
    return [np.ones((side, side, given, made), np.float32), np.ones(made, np.float32)]


@FORMS
def test_all_thirteen(load, same, fcn8s, trunk, convolutions, start, form):
    dense = foreign.in_order(trunk, ("fc6", "fc7"))
    arrays = foreign.numbered(convolutions, dense, **form)
    found, _ = load(arrays, fcn8s[0], "keras", inputs="caffe", initial=start)
    same(found, foreign.flat(start) | trunk)


@FORMS
def test_without_a_classifier(load, same, fcn8s, trunk, convolutions, start, form):
    """KerasHub's backbone, and include_top=False: numbered, and fc6 starts anew."""
    arrays = foreign.numbered(convolutions, **form)
    found, account = load(arrays, fcn8s[0], "keras", inputs="caffe", initial=start)
    kept = {n: x for n, x in trunk.items() if "/fc" not in n}
    same(found, foreign.flat(start) | kept)
    assert "params/fc6/kernel" in account.split("missing (10)")[1].splitlines()[0]


def of_optimizer(arrays, form):
    """What a compiled model has beside its weights: numbers, and slots like kernels."""
    found = {}
    for place, (name, x) in enumerate(arrays.items(), start=2):
        slot = f"optimizer/vars/{place}"
        if form:
            slot = f"optimizer_weights/adam/{name.partition('/')[2]}"
        found[slot] = np.full_like(x, 7)
    rate = "optimizer_weights/adam/learning_rate" if form else "optimizer/vars/1"
    return found | {rate: np.float32(0.1)}


@FORMS
def test_a_compiled_vgg16(load, same, fcn8s, trunk, convolutions, start, form):
    """Strictly: what the optimizer has is of no use, and no mistake."""
    dense = foreign.in_order(trunk, ("fc6", "fc7"))
    arrays = foreign.numbered(convolutions, dense, **form)
    arrays |= of_optimizer(arrays, form)
    found, account = load(arrays, fcn8s[0], "keras", inputs="caffe", initial=start)
    same(found, foreign.flat(start) | trunk)
    assert foreign.counts(account) == (30, 6, 31, 0)


def test_a_compiled_vgg16_by_name(load, same, fcn8s, trunk, start):
    """`model.save("vgg16.h5")`: weights and slots by the names of layers."""
    weights = foreign.keras(trunk)
    arrays = {f"model_weights/{name}": x for name, x in weights.items()}
    arrays |= of_optimizer(arrays, "by name")
    found, account = load(arrays, fcn8s[0], "keras", inputs="caffe", initial=start)
    same(found, foreign.flat(start) | trunk)
    assert foreign.counts(account) == (30, 6, 33, 0)


@STRICTLY
@FORMS
def test_one_that_does_not_fit(load, fcn8s, convolutions, strict, form):
    """One before those of VGG: the kernel of each would go to the next."""
    arrays = foreign.numbered([convolution(3, 3), *convolutions], **form)
    message = (
        r"known by number alone, and \d+ are not those of the encoder: .*conv2d/\S+ is "
        r"3x3x3x3, conv1_1 of the net 3x3x3x2; .*save the part that is the encoder by"
    )
    with pytest.raises(WeightsError, match=message):
        load(arrays, fcn8s[0], "keras", strict=strict)


@STRICTLY
@FORMS
@pytest.mark.parametrize("place", (8, 10, 13))
def test_one_more_that_fits(load, fcn8s, convolutions, strict, form, place):
    """Nothing but their number tells: stages 4 and 5 have shapes alike."""
    own = convolution(16, 16)
    arrays = [*convolutions[:place], own, *convolutions[place:]]
    message = (
        r"known by number alone, and the file has 14, the encoder 13: in the file "
        r"conv2d 3x3x3x2, .*, conv2d_13 3x3x16x16; in the net conv2d 3x3x3x2, "
        r".*, conv2d_12 3x3x16x16; expected the encoder's convolutions alone"
    )
    with pytest.raises(WeightsError, match=message):
        load(foreign.numbered(arrays, **form), fcn8s[0], "keras", strict=strict)


@STRICTLY
@pytest.mark.parametrize("missing", (8, 12))
def test_one_fewer(load, fcn8s, convolutions, strict, missing):
    arrays = [x for place, x in enumerate(convolutions) if place != missing]
    message = r"by number alone, and the file has 12, the encoder 13: in the file conv2"
    with pytest.raises(WeightsError, match=message):
        load(foreign.numbered(arrays), fcn8s[0], "keras", strict=strict)


def test_a_number_that_is_left_out(load, fcn8s, convolutions):
    arrays = foreign.numbered([*convolutions[:10], convolution(16, 16),
                               *convolutions[10:]])  # fmt: skip
    arrays = {n: x for n, x in arrays.items() if "/conv2d_10/" not in n}
    with pytest.raises(WeightsError, match="file has 13, the encoder 13: .*conv2d_11"):
        load(arrays, fcn8s[0], "keras", strict=False)


@pytest.mark.parametrize(
    "behind",
    [
        [convolution(32, 16), convolution(16, 16)],  # As in U-Net: a skip beside it.
        [convolution(16, 128, side=7), convolution(128, 128, side=1)],  # fc6 and fc7.
        [convolution(16, 32), convolution(32, 16)],
    ],
)
def test_what_comes_behind_the_encoder(load, fcn8s, trunk, convolutions, behind):
    arrays = foreign.numbered([*convolutions, *behind])
    found, account = load(arrays, fcn8s[0], "keras", strict=False, inputs="caffe")
    for name in (n for n in trunk if "/fc" not in n):
        np.testing.assert_array_equal(found[name], trunk[name])
    assert "unexpected (4): layers/conv2d_13/vars/0" in account


def features(sizes):
    """Convolutions of a VGG of torchvision; `sizes` are the lengths of its stages."""
    found, index, given = {}, 0, 3
    for stage, count in enumerate(sizes):
        made = (2, 4, 8, 16, 16)[stage]
        for _ in range(count):
            found[f"features.{index}.weight"] = np.ones((made, given, 3, 3), np.float32)
            found[f"features.{index}.bias"] = np.ones(made, np.float32)
            given, index = made, index + 2
        index += 1
    return found


@STRICTLY
@pytest.mark.parametrize("sizes", ((2, 2, 4, 4, 4), (2, 2, 3, 3, 4), (2, 2, 2, 2, 2)))
@pytest.mark.parametrize("prefix", ("", "module.backbone."))
def test_another_vgg_of_torchvision(load, fcn8s, sizes, prefix, strict):
    """VGG-19 has conv4_2 where VGG-16 has conv4_3, of one shape with it."""
    arrays = {f"{prefix}{name}": x for name, x in features(sizes).items()}
    message = (
        rf"by number alone, and the file has {sum(sizes)}, the encoder 13: in the file "
        r"features.0 3x3x3x2, features.2 3x3x2x2, .*; in the net features.0 3x3x3x2, "
    )
    with pytest.raises(WeightsError, match=message):
        load(arrays, fcn8s[0], strict=strict)


def test_the_first_stages_of_torchvision(load, fcn8s):
    """Places tell what is there, as of `features[:23]`."""
    found, account = load(features((2, 2, 3, 3)), fcn8s[0], inputs="caffe", least=0.0)
    assert found["params/conv4_3/kernel"].min() == 1
    assert foreign.counts(account)[0] == 20
