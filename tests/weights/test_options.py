"""What a file records of its net's options, held against the net that it is for."""

import warnings

import pytest

import fcn_jax
from fcn_jax.config import build, workdir
from fcn_jax.weights import provenance, saving
from tests.support import cases
from tests.support import foreign_weights as foreign


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A net with BatchNorm and one without, in every form that records options."""
    folder = tmp_path_factory.mktemp("files")
    for name, options in (("bn", {"batch_norm": True}), ("plain", {})):
        model = foreign.create("fcn32s", padding="same", **options)
        variables = cases.random_variables(model)
        for suffix in (".safetensors", ""):
            saving.save_weights(folder / f"{name}{suffix}", variables, model)
    return folder


SUFFIX = pytest.mark.parametrize("suffix", (".safetensors", ""))
EPSILON = (
    "bn_epsilon was 1e-05 in training and is 0.1 in this net: the same weights give "
    "other scores"
)
PADDING = "padding was 'same' in training and is 'caffe' in this net: the same weights"


@SUFFIX
@pytest.mark.parametrize("strict", (True, False))
@pytest.mark.parametrize(
    ("changes", "message"),
    [({"bn_epsilon": 0.1}, EPSILON), ({"padding": "caffe"}, PADDING)],
)
def test_an_option_that_differs_is_told(
    files, capsys, suffix, strict, changes, message
):
    options = {"padding": "same", "batch_norm": True} | changes
    model = foreign.create("fcn32s", **options)
    path = files / f"bn{suffix}"
    with pytest.warns(UserWarning, match=message) as caught:
        _, report = fcn_jax.load_weights(path, model, strict=strict)
    assert f"note: {message}" in str(report)
    assert caught[0].filename == __file__
    fcn_jax.load_weights(path, model, strict=strict, verbose=True)  # No warning beside.
    assert f"note: {message}" in capsys.readouterr().out


@SUFFIX
def test_options_that_change_no_score(files, suffix):
    """Warnings are errors here."""
    model = foreign.create("fcn32s", padding="same", bn_epsilon=0.1, dropout_rate=0.1)
    fcn_jax.load_weights(files / f"plain{suffix}", model)
    model = foreign.create("fcn32s", padding="same", batch_norm=True, bn_momentum=0.5)
    fcn_jax.load_weights(files / f"bn{suffix}", model)
    zoomout = foreign.create("zoomout", mlp_dropout=0.5, regions_at_once=1)
    recorded = {"model": {"mlp_dropout": 0.0, "regions_at_once": 8}}
    assert not provenance.differing_options(recorded, zoomout)


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"padding": "caffe"}, True),  # Of earlier versions.
        ({"padding": ""}, False),
        ({"options": "{"}, False),
        ({"options": "[]", "padding": "same"}, False),
        ({"config": {"model": {"padding": "caffe", "name": "fcn32s"}}}, True),
        ({}, False),
    ],
)
def test_what_files_say_in_other_ways(load, metadata, told):
    model = foreign.create("fcn32s", padding="same")
    arrays = foreign.pytorch(foreign.drawn(model))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, account = load(arrays, model, "safetensors", metadata, inputs="caffe")
    assert ("padding was 'caffe' in training" in account) == told
    assert len(caught) == told


@pytest.mark.parametrize("options", ({"bn_epsilon": 0.1}, {"batch_norm_fc": True}))
def test_a_run_of_weights_alone_is_the_same_net(tmp_path, options):
    model = foreign.create("fcn32s", padding="same", batch_norm=True, **options)
    saving.save_weights(tmp_path / "run", cases.random_variables(model), model)
    again = build.make_model(workdir.config_of_run(tmp_path / "run"))
    for name, value in options.items():
        assert getattr(again.encoder, name) == value
