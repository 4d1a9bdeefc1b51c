"""What a config's optimiser is told, and what it passes over."""

import jax
import pytest

from fcn_jax.config import build, named, parts
from fcn_jax.config.base import base_config
from fcn_jax.config.types import Config
from fcn_jax.runs import trainer
from tests.support.runs import make_folder, tiny_config


def with_optim(**changes):
    config = base_config()
    config.optim.update(changes)
    return config


@pytest.mark.parametrize(
    ("changes", "note"),
    (
        ({"name": "sgd"}, ""),
        ({"name": "adamw"}, ""),
        ({"name": "sgd", "momentum": 0.99, "bias_lr": 1.0, "bn_decay": 1.0}, ""),
        ({"name": "adamw", "weight_decay": 0.1, "clip_norm": 1.0}, ""),
        (
            {"name": "adamw", "momentum": 0.99},
            "passed over: config.optim.momentum=0.99, at which "
            "config.optim.name='adamw' does not look",
        ),
        (
            {"name": "adamw", "bn_decay": 1.0, "bias_lr": 1.0, "bias_decay": 0.5},
            "passed over: config.optim.bias_lr=1.0 and config.optim.bias_decay=0.5 "
            "and config.optim.bn_decay=1.0, at which config.optim.name='adamw' does "
            "not look",
        ),
        ({"slow": ("conv*",), "slow_rate": 0.5}, ""),
        (
            {"slow_rate": 0.5},
            "passed over: config.optim.slow_rate=0.5, which is of the layers that "
            "config.optim.slow names",
        ),
        (
            {"name": "adamw", "momentum": 0.5, "slow_rate": 0.5},
            "passed over: config.optim.momentum=0.5, at which "
            "config.optim.name='adamw' does not look; config.optim.slow_rate=0.5, "
            "which is of the layers that config.optim.slow names",
        ),
    ),
)
def test_keys_that_the_optimiser_passes_over_are_told(changes, note):
    assert build.optimizer_note(with_optim(**changes)) == note


def test_a_run_begins_by_telling_it(tmp_path, capsys):
    changes = {"optim.name": "adamw", "optim.momentum": 0.5}
    config = tiny_config(make_folder(tmp_path), **changes)
    trainer._describe(parts.build_parts(config, jax.local_devices()[:1]))
    assert (
        "\nnote: passed over: config.optim.momentum=0.5, at" in capsys.readouterr().out
    )


def test_older_runs_lack_keys():
    older = with_optim(name="adamw", momentum=0.8).to_dict()
    for key in ("bn_decay", "slow", "slow_rate"):
        del older["optim"][key]
    assert "momentum=0.8, at" in build.optimizer_note(Config(older))


@pytest.mark.parametrize("name", named.names())
def test_no_config_sets_what_its_optimiser_passes_over(name):
    module = named.load(name)
    for mode in module.MODES:
        assert build.optimizer_note(module.get_config(mode)) == "", mode
