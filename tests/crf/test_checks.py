"""What the dense CRF refuses: values outside `jit`, shapes and names everywhere."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax import crf
from tests.support.crf_scenes import SMALL, scene


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p: jnp.log(p) + 3, "is -.*, but -log p is never negative; logits go"),
        (lambda p: p, "the unary sums to 1 at every pixel, .* crf.unary_from_probs"),
    ],
)
def test_what_is_no_unary(wrong, message):
    unary, image = scene()
    with pytest.raises(ValueError, match=message):
        crf.mean_field(wrong(jax.nn.softmax(-unary)), image, **SMALL)


def test_labels_that_are_no_classes():
    labels = np.array([[0, 1], [255, 3]])
    with pytest.raises(ValueError, match=r"label 3 at \(1, 1\); with 3 classes labels"):
        crf.unary_from_labels(labels, 3)
    assert crf.unary_from_labels(labels, 4).shape == (2, 2, 4)


def test_values_that_are_refused_outside_jit():
    unary, image = scene()
    run = functools.partial(crf.mean_field, image=image)
    bad = unary.copy()
    bad[3, 4, 1] = np.nan
    with pytest.raises(ValueError, match=r"image 0 at pixel \(3, 4\), class 1, is nan"):
        run(bad, **SMALL)
    bad[3, 4, 1] = np.inf
    with pytest.raises(ValueError, match=r"class 1, is inf; expected finite nats"):
        run(bad, **SMALL)
    with pytest.raises(ValueError, match="capacity=50 is too small; image 0 needs "):
        run(unary, **SMALL, capacity=50)
    with pytest.raises(ValueError, match="smooth_xy=-1 is not positive; .* pixels"):
        run(unary, **SMALL | {"smooth_xy": -1.0})
    with pytest.raises(ValueError, match="bilateral_rgb=0 is not .* units of 255"):
        run(unary, **SMALL | {"bilateral_rgb": 0.0})
    with pytest.raises(ValueError, match=r"at \(1,\) sum to 1.5; expected 1"):
        crf.unary_from_probs(np.array([[0.5, 0.5], [0.5, 1.0]]))
    with pytest.raises(ValueError, match=r"at \(1,\) sum to nan; expected 1"):
        crf.unary_from_probs(np.array([[0.5, 0.5], [np.nan, 1.0]]))
    with pytest.raises(ValueError, match=r"confidence=1.0, num_classes=3; .* \(0, 1\)"):
        crf.unary_from_labels(np.zeros((1, 1), int), 3, confidence=1.0)


def test_probabilities_of_half_precision_sum_to_nearly_1():
    probs = jnp.full((1, 3), 1 / 3, jnp.bfloat16)
    found = crf.unary_from_probs(probs)
    np.testing.assert_allclose(found.astype(jnp.float32), np.log(3), rtol=1e-2)


HOW = r"Published ones by name: mean_field\(unary, image, \*\*crf.PARAMETERS\['pydens"


@pytest.mark.parametrize(
    ("parameters", "numbers", "message"),
    [
        ((), {}, rf"without smooth_xy, .*, bilateral_weight, iterations\. {HOW}"),
        (
            (),
            {**SMALL, "smoth_xy": 3},
            r"'smoth_xy' .* mean 'smooth_xy'\? The par.* are",
        ),
        (("deeplab",), {}, rf"parameters is 'deeplab'; expected CRFParameters\. {HOW}"),
        (
            (crf.CRFParameters(**SMALL),),
            {"iterations": 1},
            r"iterations stand beside parameters; .* \(dataclasses.replace changes",
        ),
    ],
)
def test_parameters_that_are_none(parameters, numbers, message):
    with pytest.raises(TypeError, match=message):
        crf.mean_field(*scene(), *parameters, **numbers)


@pytest.mark.parametrize("jit", (False, True))
def test_shapes_and_names_that_are_refused_everywhere(jit):
    unary, image = scene()

    def run(unary=unary, image=image, **changes):
        call = functools.partial(crf.mean_field, **SMALL | changes)
        return (jax.jit(call) if jit else call)(unary, image)

    with pytest.raises(ValueError, match=r"an image of shape \(10, 11, 3\) .*12, 3\)"):
        run(image=image[:, :11])
    with pytest.raises(ValueError, match=r"the unary has shape \(10, 12\); expected"):
        run(unary=unary[:, :, 0])
    with pytest.raises(ValueError, match=r"\(10, 12, 1\), one class, .* two at least"):
        run(unary=unary[:, :, :1])
    with pytest.raises(ValueError, match=r"bilateral_rgb=\(13, 13, 13\) is not .*=13"):
        run(bilateral_rgb=(13, 13, 13))
    with pytest.raises(TypeError, match=r"image is float32; .* 0\.\.1 pass .*255"):
        run(image=image.astype(np.float32) / 255)
    with pytest.raises(TypeError, match="the unary is int32; expected floating"):
        run(unary=unary.astype(np.int32))
    with pytest.raises(ValueError, match="normalization='all' is not .* no, before, a"):
        run(normalization="all")
    with pytest.raises(ValueError, match="method='fast' is not .* lattice, exact"):
        run(method="fast")
    with pytest.raises(ValueError, match="compatibility='pots' is not known; give 'po"):
        run(compatibility="pots")
    with pytest.raises(ValueError, match=r"compatibility of shape \(2, 2\) for 3 clas"):
        run(compatibility=np.eye(2))
    with pytest.raises(ValueError, match="iterations=-1 is negative; 0 gives"):
        run(iterations=-1)
    with pytest.raises(ValueError, match="capacity=0 is not positive"):
        run(capacity=0)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ((), r"Of a grey image repeat the channel: np.stack\(\[image\] \* 3"),
        ((1,), r"Of a grey image repeat the channel: np.repeat\(image, 3, axis=-1"),
        ((4,), r"image\[..., :3\], if the fourth channel is transparency or infra"),
        ((6,), r"choose three, such as image\[..., :3\], or project onto three"),
    ],
)
def test_an_image_of_other_channels(channels, message):
    unary, image = scene()
    image = np.zeros((*image.shape[:2], *channels), np.uint8)
    with pytest.raises(ValueError, match=message):
        crf.mean_field(unary, image, **SMALL)
