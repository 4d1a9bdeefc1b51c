import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fcn_jax.storage import trees
from tests.support.states import train_state


def test_a_flipped_bit_in_an_array_is_found_by_its_hash():
    arrays = trees.to_arrays(train_state(1))
    before = trees.content_hash(arrays)
    flat = np.array(arrays["params"]["conv1_1"]["kernel"])
    flat.view(np.uint32).reshape(-1)[7] ^= 1
    arrays["params"]["conv1_1"]["kernel"] = flat
    assert trees.content_hash(arrays) != before


def test_numbers_that_numpy_does_not_know_have_a_hash():
    arrays = {"w": np.ones((2, 3), jnp.bfloat16), "none": np.ones((0, 3))}
    first = trees.content_hash(arrays)
    arrays["w"][1, 2] = 2
    assert trees.content_hash(arrays) != first


def test_another_class_count_is_named():
    with pytest.raises(ValueError, match="conv1_1/bias is 4 in the checkpoint and 5"):
        trees.into_state(trees.to_arrays(train_state(1)), train_state(width=5))


def test_another_optimiser_is_named():
    state = train_state()
    other = state.replace(opt_state=optax.sgd(0.1, momentum=0.9).init(state.params))
    with pytest.raises(ValueError, match="holds no opt_state/0/trace"):
        trees.into_state(trees.to_arrays(train_state(1)), other)


def test_a_smaller_model_is_named():
    state = train_state()
    smaller = {"conv1_1": {"kernel": state.params["conv1_1"]["kernel"]}}
    other = state.replace(params=smaller, opt_state=optax.adamw(1.0).init(smaller))
    with pytest.raises(ValueError, match="holds 3 arrays that this config's model"):
        trees.into_state(trees.to_arrays(train_state(1)), other)


def test_flatten_joins_names():
    tree = {"a": {"b": jnp.ones(2)}, "c": 3}
    assert sorted(trees.flatten(tree)) == ["a/b", "c"]


def test_leaves_of_any_tree_are_named_by_the_way_to_them():
    params = {"fc6": {"bias": jnp.zeros(2)}}
    state = optax.sgd(0.1, momentum=0.9).init(params)
    assert sorted(trees.leaves(state)) == ["0/trace/fc6/bias"]
    shapes = jax.eval_shape(lambda: params)
    assert trees.leaves(shapes)["fc6/bias"].shape == (2,)


def test_nested_undoes_leaves():
    tree = {"params": {"fc6": {"bias": 1, "kernel": 2}}, "step": 3}
    assert trees.nested(trees.leaves(tree)) == tree


def test_what_stands_for_variables_is_saved_with_an_empty_optimiser():
    arrays = trees.of_variables({"params": {"fc6": {"bias": jnp.ones(2)}}}, step=4)
    assert arrays["opt_state"] == arrays["batch_stats"] == {}
    assert arrays["step"] == 4
    assert arrays["step"].dtype == np.int32
