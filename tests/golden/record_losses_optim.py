"""Record losses, their gradients, and a run of Caffe's update rule.

python tests/golden/record_losses_optim.py

The losses and gradients are PyTorch's. The updates are the rule of Caffe's
sgd_solver.cpp written out in PyTorch float64, because torch.optim.SGD keeps the
learning rate outside the buffer: the two differ as soon as the rate changes.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

IGNORE_LABEL = 255


def losses(rng):
    logits = (3 * rng.normal(size=(2, 5, 4, 6))).astype(np.float32)
    labels = rng.integers(0, 6, (2, 5, 4)).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.25] = IGNORE_LABEL
    weights = rng.uniform(0.2, 3, 6).astype(np.float32)
    yield "logits", logits
    yield "labels", labels
    yield "class_weights", weights
    y = torch.tensor(labels.astype(np.int64))
    for name, weight in (("plain", None), ("weighted", torch.tensor(weights).double())):
        for reduction in ("sum", "mean"):
            x = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
            loss = F.cross_entropy(
                x.permute(0, 3, 1, 2),
                y,
                weight,
                ignore_index=IGNORE_LABEL,
                reduction=reduction,
            )
            loss.backward()
            yield f"{name}_{reduction}", loss.detach().numpy()
            yield f"{name}_{reduction}_grad", x.grad.numpy()


def updates(rng):
    momentum, weight_decay = 0.9, 0.05
    rates = np.array([0.1, 0.1, 0.01, 0.01, 0.5, 0.0], np.float32)
    yield "momentum", np.array(momentum)
    yield "weight_decay", np.array(weight_decay)
    yield "rates", rates
    for name, shape, lr_multiplier, decay_multiplier in (
        ("kernel", (2, 3), 1, 1),
        ("bias", (3,), 2, 0),
    ):
        start = rng.normal(size=shape).astype(np.float32)
        grads = rng.normal(size=(len(rates), *shape)).astype(np.float32)
        w, v, after = torch.tensor(start).double(), torch.zeros(shape).double(), []
        for rate, grad in zip(rates, grads, strict=True):
            g = torch.tensor(grad).double() + weight_decay * decay_multiplier * w
            v = momentum * v + float(rate) * lr_multiplier * g
            w = w - v
            after.append(w.numpy().copy())
        yield name, start
        yield f"{name}_grads", grads
        yield f"{name}_after", np.stack(after)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    for file, arrays in (("losses", losses(rng)), ("optim", updates(rng))):
        path = Path(__file__).with_name(f"{file}.npz")
        np.savez_compressed(path, **dict(arrays))
        print(path)
