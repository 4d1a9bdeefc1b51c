"""What the 2017 paper adds to FCN's experiments, on the shapes.

python -m benchmarks.pami_extras --out=runs/pami --table    # ten minutes of a core
python -m benchmarks.pami_extras --out=DIR --smoke

A narrow FCN-8s from scratch (benchmarks.common.learning). Cues: networks that see the
objects, the background or shapes alone, and one that sees everything, scored on images
of which it sees a part. Momentum: SGD at one rate with batches of 20 and 0.9, single
images and 0.9, single images and 0.99, and what is equivalent to the last with batches
of 20 (fcn_jax.training.momentum); all see as many images. Resolutions: trained at one
and at half to twice, scored at half, one and twice, and at their average. A row is done
once and kept under --out. Prints JSON, or with --table tables.

References:
    Shelhamer et al. 2017, TPAMI 39(4), arXiv:1605.06211, table 8, and on "heavy"
    learning.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import optax

from benchmarks.common import learning, machine
from fcn_jax import runtime
from fcn_jax.data import transforms
from fcn_jax.training import momentum

PART, UPDATES, PARTS, HELD_OUT = 4, 200, 2, 64
LEARNING_RATE = 2e-3  # AdamW, of cues and resolutions.
# Trained on, scored on: as the table's masks of foreground and background.
CUES = {
    "Reference": ("", ""),
    "Reference-FG": ("", "foreground"),
    "Reference-BG": ("", "background"),
    "FG-only": ("foreground", "foreground"),
    "BG-only": ("background", "background"),
    "Shape": ("shape", "shape"),
}
PUBLISHED = dict(zip(CUES, (84.8, 81.0, 19.8, 76.1, 37.8, 29.1), strict=True))
RANGE = (0.5, 2.0)  # Of the scales that are trained at.
SCALES = (0.5, 1.0, 2.0)
RATE, IMAGES = 1e-3, 600  # Of SGD; images that each sees.
# Images of an update and momentum.
LEARNERS = {
    "accum": (20, 0.9),
    "online": (1, 0.9),
    "heavy": (1, 0.99),
    "heavy, by 20": (20, momentum.equivalent_momentum(0.99, 1, 20)),
}


class Bench:
    """All rows, made when they are not there.

    Args:
        out: Where they are kept.
        smoke: Whether they are to be as quick as can be.
    """

    def __init__(self, out: Path, smoke: bool):
        self.out, self.smoke = out, smoke
        self._networks: dict[int, learning.Network] = {}

    def config(self, part, cue=""):
        """Of parts of so many images, of which a cue is seen."""
        config = learning.narrow_config(part, self.smoke)
        if part == 1 and not self.smoke:
            config.data.crop = (80, 96)  # BatchNorm sees 3x3 cells at the coarsest.
        config.data.train_cue = config.data.eval_cue = cue
        return config

    def network(self, part, config):
        """One that is compiled already, with another config's data."""
        found = self._networks.setdefault(part, learning.Network(config))
        found.config = config
        return found

    def learn(self, name, scored):
        """A network by AdamW; what it scores as `scored` sees it."""
        train_cue, scale = ("", RANGE) if name == "scales" else (name, ())
        config = self.config(PART, train_cue)
        config.data.scale = scale
        network = self.network(PART, config)
        plan = learning.Plan(
            optax.adamw(LEARNING_RATE), 2 if self.smoke else UPDATES, PARTS
        )
        variables, curve = learning.learn(network, plan, lambda _: {})
        return {**curve[-1], **scored(network, variables)}

    def held_out(self, cue=""):
        """What is scored, as a cue shows it."""
        count = PART if self.smoke else HELD_OUT
        return learning.held_out(self.config(PART, cue), count)

    def cues(self, train_cue):
        """By what is seen of scored images: the scores of a network."""

        def scored(network, variables):
            of_it = {s for t, s in CUES.values() if t == train_cue}
            found = {
                cue: network.score(variables, self.held_out(cue))
                for cue in sorted(of_it)
            }
            if not train_cue:  # It is the one that learned at one resolution, too.
                found["scales"] = self.by_scale(network, variables)
            return found

        return self.learn(train_cue, scored)

    def by_scale(self, network, variables):
        """By the scale of the images: the scores at their own resolution."""
        classes = network.config.model.num_classes
        confusions = {
            name: np.zeros((classes, classes), np.int64)
            for name in (*map(str, SCALES), "all")
        }
        for batch in self.held_out():
            size, total = batch["labels"].shape[1:], 0.0
            for scale in SCALES:
                sides = transforms.scaled_size(size, scale)
                images = [transforms.resize_image(x, sides) for x in batch["image"]]
                probs = network.probabilities(variables, np.stack(images))
                back = [transforms.resize_image(x, size) for x in np.asarray(probs)]
                total = total + np.stack(back)
                confusions[str(scale)] += learning.counted(
                    batch["labels"], np.stack(back).argmax(axis=-1), classes
                )
            confusions["all"] += learning.counted(
                batch["labels"], total.argmax(axis=-1), classes
            )
        return {name: learning.scores_of(x) for name, x in confusions.items()}

    def momentum(self, name):
        """A network by SGD, and its scores on the way."""
        size, factor = LEARNERS[name]
        rate = RATE
        if name == "heavy, by 20":
            rate = momentum.equivalent_rate(RATE, 0.99, 1, 20)
        config = self.config(1)
        network = self.network(1, config)
        held_out = learning.held_out(config, 1 if self.smoke else HELD_OUT)
        updates = 2 if self.smoke else IMAGES // size
        plan = learning.Plan(optax.sgd(rate, factor), updates, size)
        _, curve = learning.learn(
            network, plan, lambda variables: network.score(variables, held_out)
        )
        return {"batch_size": size, "momentum": factor, "rate": rate, **curve[-1]}

    def all(self):
        """Every row."""

        def row(name, make):
            return learning.kept(self.out / f"{name.replace(' ', '_')}.json", make)

        trained = {
            cue: row(f"cue_{cue or 'all'}", lambda c=cue: self.cues(c))
            for cue in dict.fromkeys(t for t, _ in CUES.values())
        }
        scales = row(
            "scales",
            lambda: self.learn("scales", lambda n, v: {"scales": self.by_scale(n, v)}),
        )
        learners = {
            name: row(f"momentum_{name}", lambda n=name: self.momentum(n))
            for name in LEARNERS
        }
        return {
            "cues": {name: trained[t][s] for name, (t, s) in CUES.items()},
            "resolutions": {
                "1": trained[""]["scales"],
                f"{RANGE[0]:g} to {RANGE[1]:g}": scales["scales"],
            },
            "momentum": learners,
        }


def tables(found):
    """As Markdown."""
    lines = [
        "| | sees of training images | of scored | published | ours |",
        "| --- " * 5 + "|",
    ]
    for name, (trained, scored) in CUES.items():
        ours = found["cues"][name]["mean_iu_of_objects"]
        seen = [x or "all" for x in (trained, scored)]
        lines.append(
            f"| {name} | {seen[0]} | {seen[1]} | {PUBLISHED[name] / 100:.3f} "
            f"| {ours:.3f} |"
        )
    lines += ["", "| | images of an update | momentum | rate | loss | mean IU |"]
    lines.append("| --- " * 6 + "|")
    for name, row in found["momentum"].items():
        lines.append(
            f"| {name} | {row['batch_size']} | {row['momentum']:.3g} "
            f"| {row['rate']:.3g} | {row['loss']:.3f} | {row['mean_iu']:.3f} |"
        )
    columns = [*(f"{scale:g}" for scale in SCALES), "their average"]
    lines += ["", f"| trained at | {' | '.join(columns)} |", "| --- " * 5 + "|"]
    for name, row in found["resolutions"].items():
        shown = " | ".join(f"{x['mean_iu']:.3f}" for x in row.values())
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Cues, momentum and resolutions.")
    parser.add_argument("--out", type=Path, help="of the rows; none: they are not kept")
    parser.add_argument("--table", action="store_true", help="Markdown, no JSON")
    parser.add_argument("--smoke", action="store_true", help="a narrow net, 2 updates")
    arguments = parser.parse_args()
    runtime.prepare()
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        found = Bench(out, arguments.smoke).all()
    if arguments.table:
        print(tables(found))
    else:
        print(json.dumps({**found, **machine.describe()}, indent=2))


if __name__ == "__main__":
    main()
