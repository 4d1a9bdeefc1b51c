"""What an HTML report is made of, without a network."""

import numpy as np

from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.evaluation import conventions, metrics
from fcn_jax.evaluation.boundary import BoundaryIU
from fcn_jax.evaluation.calibration import Calibration
from fcn_jax.evaluation.examples import Examples
from fcn_jax.evaluation.object_sizes import ObjectSizeIU

CLASSES = ("sky", "car", "car \"<b>park</b>\" & 'co'", "nowhere")
HEAD = Head("", CLASSES, VOC.palette)


def page(runs=("first",), images=6, side=40):
    """A page of made-up predictions; all runs see the same images."""
    found, kept = [], []
    for number, name in enumerate(runs):
        rng = np.random.default_rng(0)
        examples = Examples(HEAD, images)
        confusion = np.zeros((4, 4), np.int64)
        sums, histogram = conventions.ImageSums(), np.zeros(20, int)
        boundary, calibration = BoundaryIU(4), Calibration()
        sizes = ObjectSizeIU(4)
        for index in range(images):
            labels = np.zeros((side, side + 8), np.uint8)
            labels[side // 2 :] = index % 2 + 1
            labels[0] = 255
            pred = np.where(labels == 255, 0, labels).astype(np.uint8)
            pred[:, : 2 + 3 * index + number] = index % 3
            image = rng.integers(0, 256, (*labels.shape, 3), np.uint8)
            counts = labels != 255
            one = np.zeros((4, 4), np.int64)
            np.add.at(one, (labels[counts], pred[counts]), 1)
            confusion += one
            sums.add(one)
            boundary.add(labels, pred)
            calibration.add(rng.random(counts.sum()), (labels == pred)[counts])
            sizes.add(labels, (labels == 1).astype(int), pred)
            scores = metrics.scores(one, CLASSES)
            histogram[min(int(20 * scores["mean_iu"]), 19)] += 1
            examples.add(f"image{index}", image, labels, pred, scores)
        kept.append({each.name: each for each in examples.found()})
        found.append(
            {
                "name": name,
                "facts": {"step": "7", "data": "made up"},
                "scores": metrics.scores(confusion, CLASSES),
                "boundary": boundary.scores(CLASSES),
                "boundary_distance": 3,
                "sizes": sizes.scores(),
                "size_bounds": sizes.bounds,
                "calibration": calibration.scores(),
                "printed": [
                    vars(each) for each in conventions.printed(confusion, sums)
                ],
                "published": None
                if number
                else {
                    "config": "voc_fcn8s",
                    "text": "Published: mean IU 65.5 on seg11valid.",
                    "differing": ("num_steps",),
                },
                "histogram": histogram.tolist(),
            }
        )
    examples = [
        {
            "name": name,
            "layers": [("image", first.image), ("truth", first.truth)]
            + [
                layer
                for run, of_run in zip(runs, kept, strict=True)
                for layer in (
                    (f"prediction of {run}", of_run[name].pred),
                    (f"errors of {run}", of_run[name].errors),
                )
            ],
            "scores": [of_run[name].scores for of_run in kept],
        }
        for name, first in kept[0].items()
    ]
    colours = [f"#{bytes(each.tolist()).hex()}" for each in VOC.palette[:4]]
    classes = [
        {"name": name, "colour": colour}
        for name, colour in zip(CLASSES, colours, strict=True)
    ]
    return {"runs": found, "classes": classes, "examples": examples}
