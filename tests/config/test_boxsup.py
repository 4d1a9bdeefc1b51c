"""config.data.supervision="boxsup": what reaches the source, and what is refused."""

import ml_collections
import pytest

from fcn_jax.config import boxsup, datasets, named, weak
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.base import base_config
from fcn_jax.data import contracts
from fcn_jax.data.weak.assignment import Rule
from fcn_jax.data.weak.boxsup import BoxSupSource
from tests.support.runs import boxsup_config, make_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    names = ("background", "a", "b")
    return make_folder(tmp_path_factory.mktemp("folder"), names=names)


def test_settings_reach_the_source(folder):
    keys = {"k": 2, "weight": 1.5, "objective": "sum", "min_iou": 0.25}
    config = boxsup_config(folder, **{f"data.boxsup.{k}": v for k, v in keys.items()})
    config.seed = 7
    source = datasets.open_source(config, "train")
    assert isinstance(source, BoxSupSource)
    assert source.rule == Rule(2, 1.5, "sum", 0.25)
    assert source.seed == 7
    assert datasets.describe_source(source).startswith("folder (BoxSup) train: 4 image")
    assert source.candidates == boxsup.make_pools(config).key
    config.data.boxsup.num = 7
    assert boxsup.make_pools(config).key != source.candidates


def test_files_of_mcg_reach_the_source(folder, tmp_path):
    config = boxsup_config(folder, **{"data.boxsup.mcg_dir": str(tmp_path)})
    config.data.boxsup.method = "mcg"
    config.data.boxsup.options = ml_collections.ConfigDict()
    before = datasets.open_source(config, "train").candidates
    names = contracts.ids_of(datasets.open_source(config, "train"))
    assert before == boxsup.make_pools(config).key_of(lambda: names)
    (tmp_path / f"{names[0]}.mat").write_bytes(b"another")
    assert datasets.open_source(config, "train").candidates != before


def test_the_published_rule_is_the_default(folder):
    source = datasets.open_source(boxsup_config(folder), "train")
    assert source.rule == Rule(k=5, weight=3.0, objective="mean", min_iou=0.0)


def test_images_that_are_decoded_once_do_not_keep_their_labels(folder):
    config = boxsup_config(folder, **{"data.cache": 0.1})
    source = datasets.open_source(config, "train")
    labels = source.base[0]["labels"]
    assert source.base[0]["labels"] is labels  # Kept, below the masks that change.
    assert source[0]["labels"] is not labels


@pytest.mark.parametrize(
    ("images", "given", "steps"), [(4, 0, 2), (5, 0, 3), (1, 0, 1), (4, 7, 7)]
)
def test_an_epoch_sees_every_image(folder, images, given, steps):
    config = boxsup_config(folder, **{"data.boxsup.epoch_steps": given})
    assert boxsup.epoch_steps(config, images) == steps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data.boxsup.k": 0},
            "config.data.boxsup.k=0: one of the k cheapest candidates is",
        ),
        (
            {"data.boxsup.objective": "x"},
            "config.data.boxsup.objective='x' is not known",
        ),
        ({"data.boxsup.silent_epochs": -1}, "boxsup.silent_epochs=-1 is no whole num"),
        ({"data.boxsup.epoch_steps": -1}, "boxsup.epoch_steps=-1 is no whole number"),
        ({"data.boxsup.method": "gop"}, "candidates: method 'gop' is not known"),
        ({"data.boxsup.method": "mcg"}, "candidates: mcg has no option 'min_side'"),
        ({"data.strong_images": 4}, "all 4 images of folder train keep their masks"),
        ({"data.objects.stage": "objects"}, "objects.stage='objects' asks for masks"),
        ({"loss.estimation": "em_boxes"}, "does not fit config.data.supervision='box"),
    ],
)
def test_wrong_settings_are_named(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        datasets.open_source(boxsup_config(folder, **changes), "train")


def test_several_heads_are_refused(folder):
    config = boxsup_config(folder)
    source = datasets.open_split(config, "train")
    with config.unlocked():
        del config.model["num_classes"]
        config.model.num_classes = ml_collections.ConfigDict({"a": 2, "b": 3})
    with pytest.raises(
        ValueError, match="supervision='boxsup' is for networks with on"
    ):
        boxsup.supervised(config, source, None)


def test_networks_of_superpixels_are_refused():
    config = base_config("zoomout")
    config.data.supervision = "boxsup"
    with pytest.raises(ValueError, match="'boxsup' estimates masks .* 'box_segments'"):
        weak.check_weak_labels(config)


def test_a_run_may_move_its_candidates(folder, tmp_path):
    config = boxsup_config(folder)
    workdirs.write_config(config, tmp_path)
    config.data.boxsup.cache_dir = config.data.boxsup.mcg_dir = "elsewhere"
    config.data.box_cache_dir = "elsewhere"  # What Bbox-Seg keeps.
    workdirs.check_workdir(config, tmp_path)
    config.data.boxsup.k = 3
    with pytest.raises(ValueError, match="data.boxsup.k: 5 there, 3 now"):
        workdirs.check_workdir(config, tmp_path)


def test_the_published_numbers_are_those_of_the_configs():
    full = named.load("voc_boxsup").get_config()
    settings = full.data.boxsup
    assert (settings.method, settings.num) == ("mcg", 2000)
    assert (settings.k, settings.weight) == (5, 3.0)
    assert boxsup.epoch_steps(full, 10_582) == 530
    assert full.num_steps == 20 * 530
    semi = named.load("voc_boxsup_semi").get_config()
    assert (semi.data.strong_name, semi.data.strong_split) == (
        "voc_segmentation/2012",
        "train",
    )
