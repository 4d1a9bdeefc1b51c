"""Several processes that train as one, as far as one machine shows it.

python -m benchmarks.hosts                      # 1, 2 and 4 processes, 64 that read
python -m benchmarks.hosts --processes 1 2 --width 0.25 --steps 10

Trains FCN-8s on the built-in shapes in so many processes (CPU, gloo), each time in a
network of their own (`unshare`), whose loopback device counts what they send. Beside
it stands what a ring all-reduce of the gradients would send, as `benchmarks.roofline`
has it: of B bytes each of n processes 2 B (n - 1) / n. What else goes by is counted
too: statistics of BatchNorm, the watch over the processes, TCP's headers. Then a
checkpoint: its bytes, the seconds in which process 0 writes it, and those in which all
have read it. Without `unshare` the machine's own loopback is read, on which others may
send.

And which images 64 processes would read of an epoch, and of an evaluation. Prints JSON.
"""

import argparse
import collections
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
READERS, IMAGES = 64, 1024
# A network with nothing but a loopback, in which the host's name leads to it.
ALONE = ("unshare", "--map-root-user", "--net", "--uts", "sh", "-c")
SETUP = 'hostname localhost && ip link set lo up && exec "$@"'


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--width", type=float, default=1 / 16)
    parser.add_argument("--steps", type=int, default=20, help="at least 4")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--several", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        train_one(**arguments.one)
        return
    readers, images, batch = READERS, IMAGES, 2 * READERS
    if arguments.smoke:
        arguments.processes, arguments.steps = [1, 2], 4
        readers, images, batch = 8, 64, 16
    if arguments.several:
        print(json.dumps(train_several(arguments)))
        return
    report: dict = {"reading": whose_images(readers, images, batch)}
    report["training"] = [
        apart(count, arguments.width, arguments.steps) for count in arguments.processes
    ]
    from benchmarks.common import machine

    print(json.dumps(machine.describe() | report, indent=2))


class Numbers:
    """A source of tiny images, each of which says its number."""

    name, split, classes, ignore_label = "numbers", "train", ("a", "b"), 255
    channels = "rgb"

    def __init__(self, count: int):
        self._count = count

    def __len__(self):
        return self._count

    def __getitem__(self, index: int):
        labels = np.zeros((4, 4), np.uint8)
        image = np.zeros((4, 4, 3), np.uint8)
        return {"image": image, "labels": labels, "id": str(index)}

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [count, 2]."""
        return np.full((self._count, 2), 4, np.int32)


def whose_images(count: int, images: int, batch: int) -> dict:
    """Which images each of `count` processes reads, in training and in an evaluation.

    Args:
        count: Of the processes that are pretended.
        images: Of the data set, a multiple of `batch`.
        batch: Images of a step, over all of them.

    Returns:
        How often an image was read, least and most, and whether the batches of all
        processes together are those of one.
    """
    from fcn_jax.data import loader

    source = Numbers(images)

    def batches(share, of_one: int):
        found = loader.train_batches(
            source, batch_size=batch, seed=0, num_classes=2, share=share
        )
        with_numbers = [next(found)["index"].tolist() for _ in range(images // batch)]
        found.close()
        assert all(len(numbers) == of_one for numbers in with_numbers)
        return with_numbers

    shares = [loader.Share(process, count) for process in range(count)]
    every = [batches(share, batch // count) for share in shares]
    together = [
        [number for of_process in step for number in of_process]
        for step in zip(*every, strict=True)
    ]
    times = collections.Counter(number for step in together for number in step)
    odd = Numbers(images - 7)  # An evaluation need not divide.
    scored = collections.Counter(
        int(name)
        for share in shares
        for found in loader.eval_batches(
            odd, batch_size=batch, num_classes=2, share=share
        )
        for name, valid in zip(found["id"], found["example_valid"], strict=True)
        if valid
    )
    return {
        "processes": count,
        "images of an epoch": len(times),
        "times each, least and most": [min(times.values()), max(times.values())],
        "batches are those of one": together == batches(loader.Share(), batch),
        "images scored": len(scored),
        "times each scored, least and most": [
            min(scored.values()), max(scored.values()),
        ],
    }  # fmt: skip


def apart(count: int, width: float, steps: int) -> dict:
    """Train in `count` processes, in a network of their own where that can be had."""
    command = [
        *(sys.executable, "-m", "benchmarks.hosts", f"--several={count}"),
        *(f"--width={width}", f"--steps={steps}"),
    ]
    own = _own_network()
    if own:
        command = [*ALONE, SETUP, "sh", *command]
    answer = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        text=True,
    )
    if answer.returncode:
        sys.exit(f"{count} process(es) ended with {answer.returncode}")
    return json.loads(answer.stdout) | {"a network of its own": own}


@functools.cache
def _own_network() -> bool:
    if not shutil.which("unshare"):
        return False
    tried = subprocess.run([*ALONE, SETUP, "sh", "true"], capture_output=True)
    return tried.returncode == 0


def train_several(arguments: argparse.Namespace) -> dict:
    """Start the processes of one training, and gather what they measured."""
    count = arguments.several
    with tempfile.TemporaryDirectory() as place, socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        told = {
            "count": count,
            "address": f"127.0.0.1:{port.getsockname()[1]}",
            "place": place,
            "width": arguments.width,
            "steps": arguments.steps,
        }
        port.close()
        started = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "benchmarks.hosts", "--one"),
                    json.dumps(told | {"index": index}),
                ],
                stdout=sys.stderr,
            )
            for index in range(count)
        ]
        codes = [process.wait() for process in started]
        if any(codes):
            sys.exit(f"the processes ended with {codes}")
        return json.loads((Path(place) / "found.json").read_text())


def train_one(
    index: int, count: int, address: str, place: str, width: float, steps: int
) -> None:
    """One process: train, count what is sent, save and read a checkpoint."""
    import jax

    jax.config.update("jax_num_cpu_devices", 1)
    from fcn_jax import hosts
    from fcn_jax.config import named
    from fcn_jax.runs import trainer
    from fcn_jax.storage import checkpoints, trees

    config = named.load("shapes_fcn8s").get_config("smoke")
    config.update_from_flattened_dict(
        {
            "model.width": width,
            "num_steps": steps,
            "batch_size": 4,
            "eval_batch_size": 4,
            "eval_every": steps + 1,
            "checkpoint_every": steps,
        }
    )
    crew = hosts.ALONE
    if count > 1:
        crew = hosts.join(hosts.Place(index, count, address))
    seen: list[tuple[float, int]] = []
    tick = crew.tick

    def counted() -> int:
        seen.append((time.perf_counter(), sent()))  # log_every=1: the step is done.
        return tick()

    crew.tick = counted
    # Of scores, which are another program to compile, nothing is made.
    trainer.Trainer.evaluate = trainer._write_results = lambda *_: None
    with hosts.together(crew):
        trainer.train(config, f"{place}/run", crew=crew)
        directory = Path(place) / "run/checkpoints"
        crew.gather("trained", None)
        begin = time.perf_counter()
        saved = checkpoints.CheckpointReader(directory).read(steps)
        read = crew.gather("read", time.perf_counter() - begin)
        if not crew.first:
            return
        begin = time.perf_counter()
        store = checkpoints.CheckpointStore(f"{place}/again", alone=count == 1)
        store.save(saved.arrays, metadata=saved.metadata)
        store.wait()
        written = time.perf_counter() - begin
        # The first steps have what is done once.
        (begun, before), (ended, after) = seen[1], seen[steps - 1]
        files = (Path(place) / "again" / str(steps)).rglob("*")
        size = sum(path.stat().st_size for path in files if path.is_file())
        params = sum(x.size for x in jax.tree.leaves(saved.arrays["params"]))
        per_step = (after - before) / (steps - 2)
        ring = 2 * 4 * params * (count - 1)
        found = {
            "processes": count,
            "steps counted": steps - 2,
            "bytes of the gradients": 4 * params,
            "bytes a step, of all, measured": round(per_step),
            "bytes a step, of all, calculated": ring,
            "measured / calculated": round(per_step / ring, 3) if ring else None,
            "seconds a step": round((ended - begun) / (steps - 2), 3),
            "checkpoint, bytes": size,
            "checkpoint, bytes of its arrays": sum(
                x.nbytes for x in trees.flatten(saved.arrays).values()
            ),
            "checkpoint, seconds to write": round(written, 3),
            "checkpoint, seconds until all have read it": round(max(read), 3),
        }
        (Path(place) / "found.json").write_text(json.dumps(found))


def sent() -> int:
    """What has gone over this network's loopback so far, bytes; 0: it does not say."""
    path = Path("/proc/net/dev")
    if not path.exists():
        return 0
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == "lo":
            return int(rest.split()[8])
    return 0


if __name__ == "__main__":
    main()
