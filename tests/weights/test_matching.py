"""What a file gives to a net, each step by itself; whole files in test_loading.py."""

import numpy as np
import pytest

from fcn_jax.weights import WeightsError, conversion, formats, matching, names
from tests.support import foreign_weights as foreign


@pytest.fixture(scope="module")
def model():
    return foreign.create("fcn8s")


def matched(model, arrays, file_format="pytorch", bn_inference=None):
    file = formats.File(file_format, arrays, {}, bn_inference)
    named = names.map_names(arrays, file_format)
    return matching.match("net.pth", model, file, named)


def test_what_fits_is_taken_and_the_rest_is_named(model):
    shape = (model.encoder.layers()[0].features,)
    arrays = {"conv1_1.bias": np.ones(shape), "conv1_2.bias": np.ones(1000),
              "conv9_9.bias": np.ones(1), "counter.steps": np.ones(1)}  # fmt: skip
    found = matched(model, arrays)
    assert list(found.values) == ["params/conv1_1/bias"]
    assert found.mismatched == (("params/conv1_2/bias", (1000,), shape),)
    assert set(found.unexpected) == {"conv9_9.bias", "counter.steps"}
    assert found.report().matched == ("params/conv1_1/bias",)
    assert "params/conv1_1/kernel" in found.report().missing


def test_one_layer_twice_is_refused(model):
    arrays = {"score_fr.bias": np.ones(5), "score-fr.bias": np.ones(5)}
    with pytest.raises(WeightsError, match="'score_fr.bias' and 'score-fr.bias' are b"):
        matched(model, arrays)


def test_a_step_returns_another_value_and_leaves_the_one_before(model):
    classes = model.num_classes
    arrays = {"upscore8.weight": np.full((classes, classes, 16, 16), 7.0)}
    before = matched(model, arrays)
    after = conversion.check_upsampling(before)
    assert before.unexpected == before.notes == ()
    assert after.unexpected == ("upscore8.weight",)
    assert 'create it with upsampling="learned"' in after.notes[0]


def test_steps_that_have_nothing_to_do_change_nothing(model):
    found = matched(model, {"score_fr.bias": np.ones(model.num_classes)})
    assert conversion.fold_upsampling_bias(found) is found
    assert conversion.set_statistics(found, None) is found
    assert conversion.decoder_from_scores(found) is found
    assert conversion.fold_skip_scales(found, None) is found


def test_the_bias_of_the_upsampling_of_scores_joins_that_of_pool4(model):
    ours, theirs = (np.arange(model.num_classes) * x for x in (1.0, 10.0))
    arrays = {"score_pool4.bias": ours, "upscore2.bias": theirs}
    found = conversion.fold_upsampling_bias(matched(model, arrays))
    np.testing.assert_array_equal(found.values["params/score_pool4/bias"], 11 * ours)
    alone = conversion.fold_upsampling_bias(matched(model, {"upscore2.bias": theirs}))
    assert alone.unexpected == ("upscore2/bias",)
