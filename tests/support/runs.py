"""Small data sets and configs for tests that train."""

import numpy as np
from PIL import Image

from fcn_jax.config import build
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.base import base_config
from fcn_jax.storage import checkpoints, trees
from tests.support import cases

SIDE = 16  # Of the windows of DeconvNet.


def make_folder(root, images=6, size=(24, 32), names=("dark", "middle", "bright")):
    """A data set in VOC layout: bright and dark halves, one void row."""
    rng = np.random.default_rng(0)
    num_classes = len(names)
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    ids = [f"im{i}" for i in range(images)]
    for name in ids:
        labels = np.zeros(size, np.uint8)
        labels[:, size[1] // 2 :] = rng.integers(1, num_classes)
        labels[0] = 255
        image = np.clip(
            labels[:, :, None] * 60 + rng.integers(0, 60, (*size, 3)), 0, 255
        )
        Image.fromarray(image.astype(np.uint8)).save(root / f"JPEGImages/{name}.jpg")
        Image.fromarray(labels).save(root / f"SegmentationClass/{name}.png")
    lists = root / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_text("\n".join(ids[2:]) + "\n")
    (lists / "val.txt").write_text("\n".join(ids[:2]) + "\n")
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in names))
    return root


def tiny_config(folder, **changes):
    config = base_config()
    config.data.name, config.data.root = "folder", str(folder)
    config.data.flip = True
    config.model.num_classes = 3
    config.model.padding = "same"
    config.model.batch_norm = True
    config.model.width = 1 / 16
    config.model.fc_features = 64
    config.optim.learning_rate = 0.01
    config.batch_size = config.eval_batch_size = 2
    config.num_steps = 6
    config.log_every, config.eval_every, config.checkpoint_every = 1, 3, 2
    config.num_pictures = 1
    config.update_from_flattened_dict(changes)
    return config


def boxsup_config(folder, **changes):
    """From boxes, by BoxSup: epochs of two updates, the first without the net."""
    config = tiny_config(folder, **{"data.supervision": "boxsup", "data.flip": False})
    with config.unlocked():
        config.data.boxsup.options.min_side = 4
        config.data.boxsup.options.scales = (20, 60)
        config.data.boxsup.options.spaces = ("rgb",)
    config.update_from_flattened_dict(changes)
    return config


def deconvnet_config(folder, **changes):
    config = base_config("deconvnet")
    small = tiny_config(folder)
    for part in ("data", "optim", "loss"):
        config[part] = small[part]
    for key in ("batch_size", "eval_batch_size", "num_steps", "log_every"):
        config[key] = small[key]
    config.model.num_classes = 3
    config.model.padding = "same"
    config.model.width = 1 / 32
    config.model.fc_features = 256
    config.model.bn_epsilon = 1e-5
    config.inference.side = SIDE
    config.inference.boxes_at_once = 4
    config.inference.num_proposals = 6
    config.data.objects.proposal_method = "sliding_windows"
    config.data.objects.num_proposals = 20
    config.update_from_flattened_dict(changes)
    return config


def saved_run(workdir, config, step=5):
    """A run of which only the checkpoint is real: its model and variables."""
    workdir.mkdir()
    (workdir / "config.json").write_text(config.to_json())
    model = build.make_model(config)
    variables = cases.random_variables(getattr(model, "network", model))
    if model is not model.network:
        variables["params"]["crf"] = {
            "smooth_weight": np.full(3, 3.0, np.float32),
            "bilateral_weight": np.full(3, 5.0, np.float32),
            "compatibility": 1 - np.eye(3, dtype=np.float32),
        }
    store = checkpoints.CheckpointStore(workdir / "checkpoints")
    arrays = trees.of_variables(variables, step=step)
    store.save(arrays, metadata=workdirs.checkpoint_metadata(config))
    store.close()
    return model, variables
