"""The nets here and in PyTorch, layer by layer: writes docs/parity.md and .json.

python -m benchmarks.parity                     # full width: some 20 minutes, 8 GB
python -m benchmarks.parity --only training     # the other part as it was
python -m benchmarks.parity --width 0.25 --nets fcn8s deconvnet --out /tmp/parity.md
python -m benchmarks.parity --smoke --out /tmp/parity.md

Both sides get the same random weights: PyTorch draws them (He et al., so that
activations keep their size), and a file of its state_dict is read by
`fcn_jax.load_weights`. Prints the JSON; exit status 1 where a goal is missed.

`forward`, float32: the largest difference at every layer and of the logits, as they
are and as a fraction of the largest value of the map; the share of pixels that get the
same class; the metrics of both sides, each by its own code. In float32 two values of a
window can change places by rounding; DeconvNet unpools by PyTorch's switches, and the
share of its own that differ is told. `training`, float64 and narrow: the gradients,
and the parameters after ten steps of Caffe's SGD.
"""

import argparse
import gc
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
import torch.nn.functional as F

import fcn_jax
from benchmarks.common import machine
from benchmarks.peers import pytorch_nets
from benchmarks.reports import parity_report
from fcn_jax import runtime
from fcn_jax.evaluation import metrics
from fcn_jax.models import layers
from fcn_jax.ops import pooling
from fcn_jax.storage import files
from fcn_jax.training import losses, optim

FCN_SIZES = ((500, 500), (375, 500), (97, 130), (33, 65))
DECONVNET_SIZES = ((224, 224), (193, 257))
NETS = (*pytorch_nets.SKIPS, "deconvnet")
PARTS = ("forward", "training")
CLASSES = 21
LOGITS_GOAL, TRAINING_GOAL = 1e-4, 1e-8  # Fractions of the largest value.
STEPS, MOMENTUM, DECAY = 10, 0.9, 5e-4

# The learning rate. At 0.01 a DeconvNet of random weights diverges, and in ten steps
# what was rounding becomes 1e-3 and more of the weights.
RATES = {"deconvnet": 1e-3} | dict.fromkeys(pytorch_nets.SKIPS, 0.01)

# What is trained: net, options of both sides, images of a batch, their size. Sums of
# BatchNorm over 8 images; fc6 of "valid" sees one cell of each.
NARROW = {"width": 1 / 16, "fc_features": 512}
TRAINED = (
    *((name, {"dropout_rate": 0.0}, 2, (33, 65)) for name in pytorch_nets.SKIPS),
    ("fcn8s", {"dropout_rate": 0.0, "batch_norm": True}, 8, (33, 65)),
    (
        "fcn8s",
        {"dropout_rate": 0.0, "batch_norm": True, "padding": "same"},
        8,
        (64, 96),
    ),
    ("deconvnet", {"padding": "same"}, 8, (64, 96)),
    ("deconvnet", {"padding": "valid"}, 8, (224, 224)),
)
COMPARED = (layers.Conv, layers.Score, layers.Deconv, layers.BatchNorm, layers.Upscore)


def load(net, model):
    """The weights of a PyTorch net as our variables, through a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(net.state_dict(), path)
        return fcn_jax.load_weights(path, model)[0]


def draw_image(rng, shape):
    """Patches of colour and noise over the range of preprocessed images."""
    n, height, width = shape
    rows, columns = -(-height // 16), -(-width // 16)
    patches = rng.uniform(-110, 140, (n, rows, columns, 3))
    patches = patches.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    return patches + rng.uniform(-12, 12, (*shape, 3))


def nchw(x):
    return torch.tensor(x).permute(0, 3, 1, 2)


def nhwc(x):
    return x.detach().permute(0, 2, 3, 1).numpy()


def difference(ours, theirs):
    """The largest difference, and what fraction of the largest value it is."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        sys.exit(f"shapes {ours.shape} and {theirs.shape} of one map differ")
    largest = float(np.abs(theirs).max())
    found = float(np.abs(ours - theirs).max())
    return {
        "max": found,
        "relative": found / largest if largest else found,
        "largest": largest,
    }


def their_forward(net, image):
    """Logits, the output of every layer and the switches, by PyTorch."""
    maps, switches = {}, {}

    def keep(name):
        def hook(module, inputs, output):
            del module, inputs
            maps[name] = nhwc(output).copy()  # The ReLU after it works in place.

        return hook

    hooks = [
        module.register_forward_hook(keep(name))
        for name, module in net.named_children()
    ]
    with torch.no_grad():
        if isinstance(net, pytorch_nets.DeconvNet):
            logits, indices, sizes = net.with_indices(nchw(image))
            switches = {
                f"pool{stage}": pooling.indices_to_switches(
                    jnp.asarray(nhwc(found)), 2, tuple(sizes[stage])
                )
                for stage, found in indices.items()
            }
        else:
            logits = net(nchw(image))
    for hook in hooks:
        hook.remove()
    return nhwc(logits), maps, switches


def our_forward(model, variables, image, switches):
    """The same by ours, unpooling by the switches given, and the switches found.

    FCN's maps are those of the whole padding, its logits those of the net as it is
    used, which computes once what repeats there.
    """
    options = {"switches": switches} if switches else {}
    wide = model if switches else model.with_encoder(full_padding=True)

    @jax.jit
    def run(variables, image, options):
        return wide.apply(
            variables,
            image,
            **options,
            capture_intermediates=lambda module, _: isinstance(module, COMPARED),
            mutable=["intermediates"],
        )

    logits, found = run(variables, image, options)
    maps = {
        name: np.asarray(calls["__call__"][0])
        for name, calls in found["intermediates"].items()
        if "__call__" in calls
    }
    if not switches:
        return np.asarray(jax.jit(model.apply)(variables, image)), maps, {}
    encoder = jax.jit(lambda v, x: model.apply(v, x, mutable=["intermediates"])[1])
    sown = encoder(variables, image)["intermediates"]
    own = {name: np.asarray(sown[f"{name}_mask"][0]) for name in switches}
    return np.asarray(logits), maps, own


def true_labels(pred, rng):
    """Labels that a prediction mostly agrees with: 30 % are others, 5 % void."""
    labels = pred.copy()
    draw = rng.random(pred.shape)
    other = draw < 0.3
    labels[other] = rng.integers(0, CLASSES, int(other.sum()))
    labels[draw > 0.95] = 255
    return labels


def their_scores(labels, pred):
    """The metrics of Long et al. 2015, sec. 5, in PyTorch."""
    labels, pred = torch.tensor(labels).flatten(), torch.tensor(pred).flatten()
    counts = labels != 255
    index = labels[counts] * CLASSES + pred[counts]
    confusion = torch.bincount(index, minlength=CLASSES**2).double()
    confusion = confusion.view(CLASSES, CLASSES)
    hits, true = confusion.diag(), confusion.sum(1)
    iu = hits / (true + confusion.sum(0) - hits)
    return {
        "pixel_accuracy": (hits.sum() / true.sum()).item(),
        "mean_accuracy": torch.nanmean(hits / true).item(),
        "mean_iu": torch.nanmean(iu).item(),
        "frequency_weighted_iu": ((true * iu)[true > 0].sum() / true.sum()).item(),
    }


def our_scores(labels, pred):
    counts = metrics.confusion_matrix(
        jnp.asarray(labels, jnp.int32), jnp.asarray(pred, jnp.int32), CLASSES, 255
    )
    return metrics.scores(np.asarray(counts))


def compare_forward(name, width, sizes):
    """One net on images of several sizes, float32."""
    net = pytorch_nets.create(name, CLASSES, width=width).eval()
    pytorch_nets.draw_weights(net)
    rng = np.random.default_rng(0)
    if name == "deconvnet":
        pytorch_nets.take_statistics(net, nchw(draw_image(rng, (4, 224, 224))).float())
    model = fcn_jax.create(name, CLASSES, width=width)
    variables = jax.device_put(load(net, model))
    reports = []
    for size in sizes:
        start = time.perf_counter()
        image = draw_image(rng, (1, *size)).astype(np.float32)
        theirs, their_maps, switches = their_forward(net, image)
        ours, our_maps, own = our_forward(model, variables, image, switches)
        if our_maps.keys() != their_maps.keys():
            odd = sorted(our_maps.keys() ^ their_maps.keys())
            sys.exit(f"{name}: layers that one side alone has: {', '.join(odd)}")
        pred, their_pred = ours.argmax(-1), theirs.argmax(-1)
        labels = true_labels(their_pred, rng)
        scores, expected = our_scores(labels, pred), their_scores(labels, their_pred)
        report = {
            "net": name,
            "size": list(size),
            "layers": {k: difference(our_maps[k], v) for k, v in their_maps.items()},
            "logits": difference(ours, theirs),
            "same_class": float((pred == their_pred).mean()),
            "metrics": {
                k: {"ours": scores[k], "pytorch": v} for k, v in expected.items()
            },
            "seconds": round(time.perf_counter() - start, 1),
        }
        if switches:
            other = [(own[k] != np.asarray(v)).sum() for k, v in switches.items()]
            total = sum(v.size for v in switches.values())
            report["other_switches"] = float(sum(other) / total)
        report["good"] = report["logits"]["relative"] <= LOGITS_GOAL
        reports.append(report)
        print(f"{name} {size[0]}x{size[1]}: {report['logits']}", file=sys.stderr)
    return reports


def our_training(model, variables, image, labels, rate):
    """Yields loss, gradients and parameters of step after step."""
    params, stats = variables["params"], variables.get("batch_stats", {})
    optimizer = optim.caffe_sgd(rate, MOMENTUM, DECAY, *optim.multipliers(params))
    state = optimizer.init(params)

    @jax.jit
    def step(params, stats, state, image, labels):
        def loss_fn(params):
            logits, updates = model.apply(
                {"params": params, "batch_stats": stats},
                image,
                train=True,
                mutable=["batch_stats"],
            )
            found = losses.cross_entropy(logits, labels)
            return found.total / found.weight, updates.get("batch_stats", stats)

        (loss, stats_after), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        changes, state_after = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, changes)
        return params, stats_after, state_after, loss, grads

    while True:
        params, stats, state, loss, grads = step(params, stats, state, image, labels)
        yield float(loss), grads, params


def their_training(net, image, labels, rate):
    """The same by PyTorch; as trees of ours."""
    optimizer = pytorch_nets.CaffeSGD(net, rate, MOMENTUM, DECAY)
    x, y = nchw(image), torch.tensor(labels)
    while True:
        net.zero_grad()
        loss = F.cross_entropy(net(x), y, ignore_index=255)
        loss.backward()
        grads = pytorch_nets.params_of(net, gradients=True)
        optimizer.step()
        yield loss.item(), grads, pytorch_nets.params_of(net)


def largest_difference(ours, theirs):
    """Over all parameters, as fractions of the largest value of each, and which it is.

    BatchNorm takes the bias before it away: its gradient is zero, but for rounding.
    Such biases are held against the largest value of all.
    """
    names = list(theirs)
    before_bn = {a for a, b in itertools.pairwise(names) if "scale" in theirs[b]}
    largest = max(np.abs(x).max() for x in jax.tree.leaves(theirs))
    found = {}
    for layer, kinds in theirs.items():
        for kind, value in kinds.items():
            vanishes = kind == "bias" and layer in before_bn
            scale = largest if vanishes else np.abs(value).max()
            apart = np.abs(np.asarray(ours[layer][kind]) - value).max()
            found[f"{layer}/{kind}"] = float(apart / scale)
    worst = max(found, key=found.get)
    return {"relative": found[worst], "parameter": worst}


def compare_training(name, options, batch, size, steps):
    """Gradients and steps of one narrow net, float64."""
    with jax.enable_x64(True):
        net = pytorch_nets.create(name, CLASSES, **NARROW, **options)
        net = pytorch_nets.draw_weights(net.double().train())
        model = fcn_jax.create(
            name, CLASSES, param_dtype="float64", **NARROW, **options
        )
        rng = np.random.default_rng(1)
        image = draw_image(rng, (batch, *size)) / 80
        labels = rng.integers(0, CLASSES, (batch, *size))
        labels[rng.random(labels.shape) < 0.1] = 255
        variables = jax.tree.map(jnp.asarray, load(net, model))
        rate, batch_of = RATES[name], (jnp.asarray(image), jnp.asarray(labels))
        both = zip(
            our_training(model, variables, *batch_of, rate),
            their_training(net, image, labels, rate),
            strict=True,
        )
        losses_apart = []
        for number in range(steps):
            (loss, grads, params), (their_loss, their_grads, their_params) = next(both)
            losses_apart.append(abs(loss - their_loss) / abs(their_loss))
            if number == 0:
                gradients = largest_difference(grads, their_grads)
        parameters = largest_difference(params, their_params)
    report = {
        "net": name,
        "options": options,
        "batch": batch,
        "size": list(size),
        "steps": steps,
        "rate": rate,
        "loss": their_loss,
        "loss_relative": max(losses_apart),
        "gradients": gradients,
        "parameters": parameters,
    }
    worst = max(gradients["relative"], parameters["relative"], max(losses_apart))
    report["good"] = worst <= TRAINING_GOAL
    print(f"{name} {options}: {worst:.1e}", file=sys.stderr)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", choices=NETS, nargs="+", default=NETS)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--width", type=float, default=1.0, help="of `forward`")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--out", type=Path, default=Path("docs/parity.md"))
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    fcn_sizes, deconvnet_sizes, trained = FCN_SIZES, DECONVNET_SIZES, TRAINED
    if arguments.smoke:
        arguments.width, arguments.steps = 1 / 32, 2
        arguments.nets = [n for n in arguments.nets if n in ("fcn8s", "deconvnet")]
        fcn_sizes, deconvnet_sizes = ((33, 65),), ((193, 257),)
        trained = [TRAINED[2], TRAINED[-2]]
    runtime.prepare()
    torch.set_num_threads(arguments.threads)
    made_with = machine.describe()
    report = {"width": arguments.width, "made_with": {}}
    report |= {"goals": {"logits": LOGITS_GOAL, "training": TRAINING_GOAL}}
    path = arguments.out.with_suffix(".json")
    if len(arguments.only) < len(PARTS) and path.exists():
        report = json.loads(path.read_text())
    if "forward" in arguments.only:
        report |= {"width": arguments.width, "forward": []}
        for name in arguments.nets:
            sizes = deconvnet_sizes if name == "deconvnet" else fcn_sizes
            report["forward"] += compare_forward(name, arguments.width, sizes)
            gc.collect()  # A net and its maps before the next.
    if "training" in arguments.only:
        report["training"] = [
            compare_training(*case, arguments.steps)
            for case in trained
            if case[0] in arguments.nets
        ]
    report |= made_with
    report["made_with"] |= dict.fromkeys(arguments.only, made_with)
    report["good"] = all(r["good"] for part in PARTS for r in report.get(part, ()))
    files.write_json(path, report)
    files.write_text(arguments.out, parity_report.render(report))
    print(json.dumps(report, indent=2))
    sys.exit(not report["good"])


if __name__ == "__main__":
    main()
