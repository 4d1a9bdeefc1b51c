"""A training that starts from a file: how little is enough, and what is told."""

import jax
import numpy as np
import pytest

from fcn_jax.config import build
from fcn_jax.preprocessing import IMAGENET
from fcn_jax.runs.trainer import Trainer
from fcn_jax.storage import trees
from fcn_jax.weights import WeightsError, fetching, saving, zoo
from tests.support import cases
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("data"))


def begun(config, workdir):
    trainer = Trainer(config, workdir)
    trainer.close()
    trainer.store.close()
    return trainer


def test_too_little_of_the_encoder_stops_it(folder, tmp_path):
    config = tiny_config(folder)
    variables = trees.flatten(cases.random_variables(build.make_model(config)))
    few = {name: x for name, x in variables.items() if "1_" in name}
    np.savez(tmp_path / "few.npz", **few)
    config.init_from = str(tmp_path / "few.npz")
    with pytest.raises(WeightsError, match=r"it gives \d% of the encoder's parameters"):
        begun(config, tmp_path / "run")
    config.init_least = 0.0
    trainer = begun(config, tmp_path / "run")
    np.testing.assert_array_equal(
        trainer.state.params["conv1_1"]["kernel"], few["params/conv1_1/kernel"]
    )


@pytest.mark.parametrize("suffix", ("", ".safetensors"))
def test_an_option_that_differs_is_printed(folder, tmp_path, capsys, suffix):
    config = tiny_config(folder)
    model = build.make_model(config)
    path = tmp_path / f"start{suffix}"
    saving.save_weights(path, cases.random_variables(model), model)
    config.init_from, config.model.bn_epsilon = str(path), 0.1
    begun(config, tmp_path / "run")
    said = "note: bn_epsilon was 1e-05 in training and is 0.1 in this net: the same wei"
    assert capsys.readouterr().out.count(said) == 1


def test_known_weights_are_a_start_by_their_name(folder, tmp_path, monkeypatch):
    config = tiny_config(folder)
    model = build.make_model(config)
    variables = cases.random_variables(model)
    known = zoo.Weights("known.npz", "example.org", "fcn8s", None, inputs="imagenet")
    monkeypatch.setitem(zoo.WEIGHTS, "known", known)
    monkeypatch.setattr(fetching, "default_dir", lambda: tmp_path / "cache")
    config.init_from = "known"
    with pytest.raises(FileNotFoundError, match="them first: fcn_jax fetch known"):
        begun(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "cache").mkdir()
    np.savez(tmp_path / "cache" / "known.npz", **trees.flatten(variables))
    trainer = begun(config, tmp_path / "run")
    kernels = (
        np.asarray(tree["conv1_1"]["kernel"])
        for tree in (trainer.state.params, variables["params"])
    )
    scale = 1 / np.array(IMAGENET.std)[:, None]  # Rewritten for BGR of that range.
    ours, theirs = kernels
    np.testing.assert_allclose(ours, (theirs * scale)[:, :, ::-1], rtol=1e-5)
