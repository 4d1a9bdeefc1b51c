import jax
import jax.numpy as jnp
import pytest

from fcn_jax.models.encoders import VGG16
from fcn_jax.models.network import Network, layer_name


def network(num_classes):
    return Network(VGG16(padding="same", width=1 / 32), num_classes)


def test_logits_by_head():
    one, two = jnp.zeros((1, 2, 2, 3)), jnp.zeros((1, 2, 2, 4))
    assert network(3).by_head({"": one}) is one
    found = network({"a": 3, "b": 4}).by_head({"a": one, "b": two})
    assert {head: x.shape[-1] for head, x in found.items()} == {"a": 3, "b": 4}


@pytest.mark.parametrize("shape", ((1, 2, 2, 4), (2, 2, 3)))
def test_logits_of_another_shape_are_refused(shape):
    """A mistake of the network's author, so an assertion; under `jit` too."""
    with pytest.raises(AssertionError, match="assert_"):
        jax.eval_shape(lambda x: network(3).by_head({"": x}), jnp.zeros(shape))


def test_a_head_that_is_missing_is_refused():
    with pytest.raises(AssertionError):
        network({"a": 3, "b": 4}).by_head({"a": jnp.zeros((1, 2, 2, 3))})


def test_names_of_the_layers_of_a_head():
    assert layer_name("score_fr", "") == "score_fr"
    assert layer_name("score_fr", "semantic") == "score_fr_semantic"
