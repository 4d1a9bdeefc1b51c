"""Record what PyTorch computes for the operations of fcn_jax.ops.

python tests/golden/record_ops.py
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F


def nhwc(x):
    return x.permute(0, 2, 3, 1).contiguous().numpy()


def pooling_cases(rng):
    for case, size, window in (
        ("even2", (4, 6), 2),
        ("odd2", (5, 7), 2),
        ("odd3", (7, 5), 3),
        ("ties2", (6, 6), 2),
    ):
        x = rng.normal(size=(2, 3, *size)).astype(np.float32)
        if case.startswith("ties"):
            x = np.maximum(np.round(x), 0)
        x = torch.tensor(x)
        maxima, indices = F.max_pool2d(x, window, ceil_mode=True, return_indices=True)
        unpooled = F.max_unpool2d(maxima, indices, window, output_size=size)
        yield f"pool_{case}_x", nhwc(x)
        yield f"pool_{case}_maxima", nhwc(maxima)
        yield f"pool_{case}_indices", nhwc(indices).astype(np.int32)
        yield f"pool_{case}_unpooled", nhwc(unpooled)


def transposed_cases(rng):
    for kernel_size, stride in ((4, 2), (3, 2), (3, 1), (2, 3)):
        name = f"deconv_{kernel_size}_{stride}"
        x = torch.tensor(rng.normal(size=(1, 2, 3, 4)).astype(np.float32))
        kernel = rng.normal(size=(2, 3, kernel_size, kernel_size)).astype(np.float32)
        y = F.conv_transpose2d(x, torch.tensor(kernel), stride=stride)
        yield f"{name}_x", nhwc(x)
        yield f"{name}_kernel", kernel  # [I, O, kh, kw], as Caffe and PyTorch keep it.
        yield f"{name}_y", nhwc(y)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    arrays = dict([*pooling_cases(rng), *transposed_cases(rng)])
    np.savez_compressed(Path(__file__).with_name("ops.npz"), **arrays)
