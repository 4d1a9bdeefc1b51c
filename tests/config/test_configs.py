"""Every config opens, builds its model, and trains two steps in smoke mode."""

import importlib

import jax
import numpy as np
import pytest

import fcn_jax.models
from fcn_jax.config import build, datasets, losses
from fcn_jax.data.sources import shapes
from fcn_jax.models import inputs
from fcn_jax.runs import logs, trainer
from fcn_jax.training import optim
from tests.support.paths import ROOT
from tests.support.runs import make_folder

CONFIGS = sorted(
    path.stem for path in (ROOT / "configs").glob("*.py") if path.stem != "base"
)

# Of each kind one; the others are `slow`.
QUICK = ("shapes_fcn8s", "voc2012_deconvnet_stage2", "camvid_fcn8s")


def smoked(names):
    """Configs as parameters of a test that trains two steps of each."""
    return [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in names
    ]


@pytest.fixture(autouse=True)
def _promotion_as_in_optax():
    # Schedules and AdamW of optax mix integers and floats.
    with jax.numpy_dtype_promotion("standard"):
        yield


def load(name, mode="full"):
    return importlib.import_module(f"configs.{name}").get_config(mode)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_opens_with_the_command_and_the_published_number(name):
    text = importlib.import_module(f"configs.{name}").__doc__
    assert f"python train.py --config=configs/{name}.py --workdir=" in text
    assert "Ours" in text


@pytest.mark.parametrize("name", CONFIGS)
def test_the_full_model_can_be_built(name):
    config = load(name)
    model = build.make_model(config)
    image = inputs.example_image(model, least=64)
    shapes_of = jax.eval_shape(model.init, jax.random.key(0), image)
    assert config.model.name in fcn_jax.models.MODELS
    build.make_optimizer(config, shapes_of["params"])
    build.make_preprocessing(config)
    losses.make_loss(config)


def test_the_heavy_recipe_is_the_published_one():
    config = load("voc_fcn32s")
    assert (config.optim.learning_rate, config.optim.momentum) == (1e-10, 0.99)
    assert (config.optim.weight_decay, config.optim.bias_lr) == (5e-4, 2.0)
    assert (config.loss.reduction, config.batch_size) == ("sum", 1)
    assert load("voc_fcn16s").optim.learning_rate == 1e-12
    assert load("voc_fcn8s").optim.learning_rate == 1e-14
    assert load("voc_fcn8s_atonce").num_steps == 300_000


def test_the_practice_run_learns_three_deconvolutions():
    config = load("voc2012_fcn8s_practice")
    model = build.make_model(config)
    image = np.zeros((1, 8, 8, 3), np.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    learned = {name: p["kernel"].shape for name, p in params.items() if "up" in name}
    assert learned == {
        "upscore2": (4, 4, 21, 21),
        "upscore_pool4": (4, 4, 21, 21),
        "upscore8": (16, 16, 21, 21),
    }
    assert model.skip_scales == (0.01, 0.0001)
    assert (config.num_steps, config.log_every) == (20_000, 100)


def test_the_stages_of_deconvnet_are_those_of_the_release():
    first, second = (load(f"voc2012_deconvnet_stage{stage}") for stage in (1, 2))
    for config, steps, boundaries in (
        (first, 20_000, (9000, 18_000)),
        (second, 40_000, (10_000, 20_000, 30_000)),
    ):
        assert config.num_steps == steps
        assert config.optim.schedule_options.boundaries == boundaries
        assert (config.optim.learning_rate, config.optim.momentum) == (0.01, 0.9)
        assert (config.optim.bias_lr, config.optim.bn_decay) == (2.0, 1.0)
        assert (config.batch_size, config.accumulate) == (64, 8)
        assert (config.data.objects.size, config.data.crop) == (250, (224, 224))
        assert (config.model.bn_epsilon, config.model.bn_shift) == (1e-9, 1e-3)
    assert first.data.objects.stage == "objects"
    assert second.data.objects.stage == "proposals"
    assert second.init_from == "runs/stage1"


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("shapes_fcn8s", "any_size", ("shapes_any_size", 3e-3, "")),
        ("shapes_fcn32s_objects", "full", ("shapes", 1e-3, "shapes_fcn8s")),
        (
            "shapes_fcn32s_objects",
            "any_size",
            ("shapes_any_size", 1e-3, "shapes_fcn8s_any_size"),
        ),
        ("shapes_deconvnet_stage1", "full", ("shapes", 3e-3, "")),
        ("shapes_deconvnet_stage1", "from_fcn32s", ("shapes", 1e-3, "fcn32s_objects")),
        (
            "shapes_deconvnet_stage1",
            "any_size",
            ("shapes_any_size", 1e-3, "fcn32s_objects_any_size"),
        ),
        ("shapes_deconvnet_stage2", "full", ("shapes", 2e-3, "stage1")),
        ("shapes_deconvnet_stage2", "from_fcn32s", ("shapes", 1e-3, "stage1")),
        (
            "shapes_deconvnet_stage2",
            "any_size",
            ("shapes_any_size", 1e-3, "stage1_any_size"),
        ),
    ],
)
def test_stages_on_the_shapes_go_on_from_each_other(name, mode, expected):
    config = load(name, mode)
    start = config.init_from.removeprefix("runs/")
    assert (config.data.name, config.optim.learning_rate, start) == expected
    if "deconvnet" in name:
        upsampling = mode != "full"
        assert (config.model.decoder_start == "upsampling") == upsampling


def test_the_recipe_of_deeplab_is_the_published_one():
    """deeplab-public, DeepLab-LargeFOV and DeepLab-MSc-LargeFOV: solver, train."""
    config = load("voc_deeplab_largefov")
    schedule = build.make_schedule(config)
    for done, rate in ((0, 1e-3), (2000, 1e-4), (4000, 1e-5)):
        assert schedule(done) * config.optim.slow_rate == pytest.approx(rate)
    assert config.optim.slow == ("conv*", "fc6", "fc7")  # All but the scores.
    assert (config.optim.momentum, config.optim.weight_decay) == (0.9, 5e-4)
    assert (config.optim.bias_lr, config.optim.bias_decay) == (2.0, 0.0)
    assert (config.data.crop, config.data.flip) == ((321, 321), True)
    assert (config.loss.label_shrink, config.loss.reduction) == (8, "mean")
    assert (config.batch_size, config.num_steps) == (30, 6000)
    poly = load("voc_deeplab_largefov", "poly")
    halfway = build.make_schedule(poly)(10_000) * poly.optim.slow_rate
    assert halfway == pytest.approx(1e-3 * 0.5**0.9)
    assert (poly.batch_size, poly.num_steps) == (10, 20_000)
    msc = load("voc_deeplab_msc_largefov")
    assert msc.optim.frozen == ("conv*", "fc6", "fc7", "fc8_score")
    assert (msc.optim.learning_rate, msc.optim.slow) == (1e-3, ())
    assert load("voc_deeplab_7x7").batch_size == load("voc_deeplab").batch_size == 20


def test_the_branches_of_deeplab_learn_alone():
    config = load("voc_deeplab_msc_largefov")
    model = build.make_model(config)
    image = np.zeros((1, 9, 9, 3), np.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    learning = optim.learns(params, config.optim.frozen)
    assert {name for name, x in learning.items() if all(x.values())} == {
        f"{source}_{part}"
        for source in ("data", "pool1", "pool2", "pool3", "pool4")
        for part in ("conv", "fc", "ms")
    }


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@pytest.mark.parametrize(
    "name", smoked([c for c in CONFIGS if not c.startswith("camvid")])
)
def test_smoke(name, tmp_path, monkeypatch):
    monkeypatch.setattr(shapes, "SIZES", {"train": 4, "val": 2})
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    config = load(name, "smoke")
    config.data.data_dir = str(tmp_path / "data")
    config.data.objects.cache_dir = str(tmp_path / "proposals")
    trainer.train(config, tmp_path / "run")
    entries = logs.read(tmp_path / "run" / "log.jsonl")
    assert [e["step"] for e in entries if e["kind"] == "train"] == [1, 2]


@pytest.mark.long
@pytest.mark.usefixtures("shallow_nets")
@pytest.mark.parametrize("name", smoked([c for c in CONFIGS if c.startswith("camvid")]))
def test_smoke_of_camvid(name, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    names = [f"class{number}" for number in range(11)]
    folder = make_folder(tmp_path / "data", size=(36, 48), names=names)
    config = load(name, "smoke")
    config.data.root = str(folder)
    trainer.train(config, tmp_path / "run")
    entries = logs.read(tmp_path / "run" / "log.jsonl")
    assert [e["step"] for e in entries if e["kind"] == "train"] == [1, 2]


def test_the_palette_of_a_config_reaches_the_folder(tmp_path):
    names = [f"class{number}" for number in range(11)]
    config = load("camvid_fcn8s")
    config.data.root = str(make_folder(tmp_path / "data", names=names))
    path = tmp_path / "colours.txt"
    path.write_text("".join(f"{name} 1 2 {n}\n" for n, name in enumerate(names)))
    config.data.palette = str(path)
    for which in ("train", "eval"):
        source = datasets.open_source(config, which)
        np.testing.assert_array_equal(source.palette[:11, 2], range(11))


def test_an_unknown_key_in_a_config_is_refused():
    config = load("shapes_fcn8s")
    with pytest.raises(AttributeError, match='Did you mean "crop" instead of "crpo"'):
        config.data.crpo = (1, 2)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.name", "fcn9s", "fcn9s"),
        ("model.dtype", "float17", "config.model.dtype='float17' is not known"),
        ("preprocessing", "cafe", "config.preprocessing='cafe' is not known"),
        ("loss.class_weights", (1.0,), "class_weights has 1 entries for 7 classes"),
    ],
)
def test_wrong_values_are_named(key, value, message):
    config = load("shapes_fcn8s")
    config.update_from_flattened_dict({key: value})

    def use():
        build.make_model(config)
        build.make_preprocessing(config)
        losses.make_loss(config)

    with pytest.raises(ValueError, match=message):
        use()
