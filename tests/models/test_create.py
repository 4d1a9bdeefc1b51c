"""Models by name."""

import pytest

import fcn_jax
import fcn_jax.models
from fcn_jax.models import fcn


def test_create_makes_the_named_class():
    model = fcn_jax.models.create("fcn8s", 11, padding="same", width=0.5)
    assert isinstance(model, fcn.FCN8s)
    encoder = model.encoder
    assert (model.num_classes, encoder.padding, encoder.width) == (11, "same", 0.5)
    assert fcn_jax.models.create("fcn32s").num_classes == 21


def test_unknown_model():
    message = r"model 'fcn8' is not known \(did you mean 'fcn8s'\?\); .* fcn32s, fcn16s"
    with pytest.raises(ValueError, match=message):
        fcn_jax.models.create("fcn8")


def test_unknown_model_unlike_any():
    message = "model 'perceptron' is not known; the models are"
    with pytest.raises(ValueError, match=message):
        fcn_jax.models.create("perceptron")


def test_unknown_attribute_of_the_package():
    with pytest.raises(AttributeError, match="no attribute 'FCN8s'; it has .*create"):
        fcn_jax.FCN8s  # noqa: B018


def test_unknown_option():
    message = (
        r"option 'paddin' of model 'fcn8s' is not known \(did you mean 'padding'\?\); "
        r"its options are upsampling, skip_scales, dropout_rate, .*output_stride\."
    )
    with pytest.raises(ValueError, match=message):
        fcn_jax.models.create("fcn8s", paddin="same")
    message = "'batch_norm' of model 'fcn8s' with encoder='googlenet' is not known"
    with pytest.raises(ValueError, match=message):
        fcn_jax.models.create("fcn8s", encoder="googlenet", batch_norm=True)


def test_an_option_goes_on_under_its_earlier_name():
    model = fcn_jax.models.create("fcn8s", full_margin=True)
    assert model.encoder.full_padding


def test_one_class_is_none():
    with pytest.raises(ValueError, match="num_classes=1: a network chooses between cl"):
        fcn_jax.create("fcn8s", num_classes=1)
    with pytest.raises(ValueError, match="num_classes=1: .* pass 2 for an object and "):
        fcn_jax.create("fcn8s", num_classes={"a": 3, "b": 1})
