"""How data-parallel training scales: a calculation, nothing is measured.

python -m benchmarks.roofline.scaling

Every chip computes the gradient of its own images, and a ring all-reduce sums them: of
B bytes every chip of n sends and receives 2 B (n - 1) / n, in 2 (n - 1) messages. The
worst case waits for it after the backward pass; the best hides it behind that pass, and
shows only what is longer.

Assumptions, all arguments: gradients travel as float32; the compute of a chip is its
published peak in bfloat16 times the share of it that the goal of this project asks for,
45 %; a ring is as fast as its slowest link. Links: 8 GPUs of a node by NVLink, nodes by
one 400 Gb/s port a GPU; a TPU v5e chip has 1,600 Gb/s over four links, of which a ring
uses one in each direction. Vendors' data sheets: NVIDIA H100 SXM, Google Cloud TPU v5e.
"""

import dataclasses
import json

from benchmarks.roofline import roofline

CHIPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
UTILISATION = 0.45


@dataclasses.dataclass(frozen=True)
class Machine:
    """A chip and the ring that it is part of.

    Attributes:
        name: Of the chip.
        flop_rate: Peak, FLOP a second, bfloat16.
        near: Bytes a second to each neighbour within a node.
        far: The same between nodes.
        node: Chips of a node.
        latency: Seconds of a message.
    """

    name: str
    flop_rate: float
    near: float
    far: float
    node: int
    latency: float = 5e-6


MACHINES = (
    Machine("H100 SXM", 989e12, near=450e9, far=50e9, node=8),
    Machine("TPU v5e", 197e12, near=50e9, far=50e9, node=256),
)


def all_reduce_seconds(size: float, chips: int, machine: Machine) -> float:
    """Time of a ring all-reduce of `size` bytes over so many chips."""
    if chips == 1:
        return 0.0
    bandwidth = machine.near if chips <= machine.node else machine.far
    steps = 2 * (chips - 1)
    return steps * (size / chips / bandwidth + machine.latency)


def efficiency(
    flops: float,
    size: float,
    chips: int,
    machine: Machine,
    utilisation: float = UTILISATION,
) -> dict[str, float]:
    """What share of n times the speed of one chip n chips reach.

    Args:
        flops: Of a training step of one chip's images.
        size: Bytes of the gradients.
        chips: Their number, n.
        machine: What they are.
        utilisation: Share of the peak that a chip reaches by itself.

    Returns:
        `compute` and `all_reduce`, seconds; `waiting` and `hidden`, the efficiency
        where the all-reduce follows the backward pass, and where it runs beside it
        (which is two thirds of the compute).
    """
    compute = flops / (machine.flop_rate * utilisation)
    reduce = all_reduce_seconds(size, chips, machine)
    rest = max(0.0, reduce - compute * 2 / 3)
    return {
        "compute": compute,
        "all_reduce": reduce,
        "waiting": compute / (compute + reduce),
        "hidden": compute / (compute + rest),
    }


def table(batch: int = 8) -> list[dict]:
    """Both nets on both machines, `batch` images a chip."""
    nets = {
        "FCN-8s, 500x500": roofline.fcn8s(500, 500, batch, value=2),
        "DeconvNet, 224x224": roofline.deconv_net(224, batch, value=2),
    }
    found = []
    for net, layers in nets.items():
        flops = sum(layer.training_flops for layer in layers)
        size = 4 * sum(layer.params for layer in layers)
        for machine in MACHINES:
            for chips in CHIPS:
                row = {"net": net, "machine": machine.name, "chips": chips}
                row |= {"batch": batch, "flops": flops, "gradient_bytes": size}
                found.append(row | efficiency(flops, size, chips, machine))
    return found


if __name__ == "__main__":
    print(json.dumps(table(), indent=2))
