"""The config of a run's directory, where its file is gone or never was."""

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import models
from fcn_jax.config import build, of_run
from fcn_jax.config import workdir as workdirs
from fcn_jax.preprocessing import PREPROCESSING
from fcn_jax.runs import recorded
from fcn_jax.storage import trees
from fcn_jax.storage.checkpoints import CheckpointStore
from fcn_jax.weights import saving
from fcn_jax.weights import variables as variables_of
from tests.support import cases
from tests.support import foreign_weights as foreign
from tests.support.runs import tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


def weights(path, name, num_classes, **options):
    """A directory that `fcn_jax convert` makes of a file."""
    model = fcn_jax.create(name, num_classes, padding="same", **options)
    image = np.zeros((1, 32, 32, 3), np.float32)
    variables = cases.quick_jit(model.init)(jax.random.key(0), image)
    saving.save_weights(path, variables, model, preprocessing=PREPROCESSING["imagenet"])
    return model, variables


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn8s_atonce", {"width": 1 / 32, "fc_features": 64, "batch_norm": True}),
        ("deconvnet", {"width": 1 / 32, "fc_features": 64}),
    ],
)
def test_weights_alone_say_which_network_they_are_of(tmp_path, name, options):
    model, variables = weights(tmp_path / "run", name, 3, **options)
    config = workdirs.config_of_run(tmp_path / "run")
    assert (config.model.name, config.preprocessing) == (name, "imagenet")
    made = build.make_model(config).with_encoder(axis_name=None)
    image = np.ones((1, 40, 32, 3), np.float32)
    expected = cases.quick_jit(model.apply)(variables, image)
    np.testing.assert_array_equal(
        cases.quick_jit(made.apply)(variables, image), expected
    )
    net = fcn_jax.load(tmp_path / "run")
    assert net.heads[0].classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn32s", {"channels": 4}),
        ("fcn16s", {"num_classes": {"sem": 4, "geo": 3}}),
        ("hypercolumn", {"grid": 3, "layer_scales": (0.1, 0.2)}),
        ("zoomout", {"hidden": 32, "compactness": 5.0}),
        ("cfm", {"levels": (1, 3), "inwards": 5.0}),
    ],
)
def test_every_option_of_weights_alone_is_known(tmp_path, name, options):
    model = foreign.create(name, **options)
    variables = trees.nested(foreign.drawn(model))
    saving.save_weights(tmp_path / "run", variables, model)
    config = workdirs.config_of_run(tmp_path / "run")
    made = build.make_model(config)
    assert variables_of.shapes(made).keys() == variables_of.shapes(model).keys()
    theirs = models.options_of(model)
    told = {"dtype", "freeze_batch_norm"}  # The config's own.
    assert {
        key: value for key, value in models.options_of(made).items() if key not in told
    } == {key: value for key, value in theirs.items() if key not in told}
    assert made.heads == model.heads


def test_published_nets_know_the_classes_of_voc(tmp_path):
    weights(tmp_path / "run", "fcn32s", 21, width=1 / 64, fc_features=64)
    config = workdirs.config_of_run(tmp_path / "run")
    metadata = CheckpointStore(tmp_path / "run/checkpoints").newest_metadata()
    (head,) = recorded.heads_of(config, metadata)
    assert head.classes[:3] == ("background", "aeroplane", "bicycle")
    # Those of a run of one's own have its names, or numbers.
    own = {**metadata, "config": {}}
    assert recorded.heads_of(config, own)[0].classes[:2] == ("0", "1")


def test_a_config_that_is_lost_is_in_the_checkpoint(tmp_path):
    config = tiny_config("F", num_steps=77)
    store = CheckpointStore(tmp_path / "checkpoints")
    arrays = {"step": np.zeros((), np.int32), "params": {"a": {"b": np.ones(2)}}}
    store.save(arrays, metadata=workdirs.checkpoint_metadata(config))
    store.close()
    found = of_run.get_config(str(tmp_path))
    assert (found.num_steps, found.data.root) == (77, "F")


def test_a_directory_of_nothing_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not the directory of a run of tra"):
        workdirs.config_of_run(tmp_path)


def test_another_config_is_refused_with_the_way_on(tmp_path):
    """To train on at another rate is a run of its own, from the parameters of this."""
    config = tiny_config("F")
    workdirs.write_config(config, tmp_path)
    workdirs.check_workdir(config, tmp_path)
    config.optim.learning_rate = 0.5
    message = (
        r"holds a run of another config \(optim.learning_rate: 0.01 there, 0.5 now\)\. "
    )
    way_on = "Give the config of that run, or a fresh --workdir: no checkpoint of that"
    with pytest.raises(ValueError, match=message + way_on):
        workdirs.check_workdir(config, tmp_path)
    (tmp_path / "checkpoints" / "2").mkdir(parents=True)
    way_on = rf".*fresh --workdir, with --config.init_from={tmp_path}\.$"
    with pytest.raises(ValueError, match=message + way_on):
        workdirs.check_workdir(config, tmp_path)
