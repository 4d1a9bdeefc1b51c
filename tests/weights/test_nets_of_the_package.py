"""The nets that come with the package score what their files and docs say."""

import io

import numpy as np
import pytest
from PIL import Image

import fcn_jax
from fcn_jax import data
from fcn_jax.data.sources import shapes
from fcn_jax.evaluation import metrics
from fcn_jax.weights import pretrained
from tests.support.paths import CAMVID, NO_CAMVID, ROOT

# Mean IU on ten images when they were packed; and the bytes of a file at most.
ON_TEN = {"camvid-fcn8s": 0.5754, "shapes-fcn8s": 0.7780}
LESS, MOST = 0.002, 12_000_000


def ten(name):
    """(image, labels) of the first ten validation images."""
    if name.startswith("shapes"):
        for _, features in shapes.examples("val", 10):
            yield [
                np.array(Image.open(io.BytesIO(features[key])))
                for key in ("image", "labels")
            ]
        return
    if not CAMVID.is_dir():
        pytest.skip(NO_CAMVID)
    source = data.open_source("folder", "val", root=str(CAMVID))
    for number in range(10):
        example = source[number * 10]
        yield example["image"], example["labels"]


def test_they_are_those_that_the_docs_name():
    assert pretrained.names() == sorted(ON_TEN)
    text = (ROOT / "docs" / "weights.md").read_text("utf-8")
    for name in ON_TEN:
        path, run = pretrained.record(name)
        assert path.stat().st_size <= MOST
        assert f"| `{name}` | {run['score']['mean_iu']:.3f} " in text


@pytest.mark.parametrize(
    "name", ("shapes-fcn8s", pytest.param("camvid-fcn8s", marks=pytest.mark.long))
)
def test_on_ten_images(name):
    net = fcn_jax.load(name)
    classes = net.heads[0].classes
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for image, labels in ten(name):
        pred = net.predict(image)
        counts += np.asarray(metrics.confusion_matrix(labels, pred, len(classes)))
    found = metrics.scores(counts, classes)["mean_iu"]
    assert found >= ON_TEN[name] - LESS
