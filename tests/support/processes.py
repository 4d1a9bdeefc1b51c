"""Several processes of this machine that train together, with one virtual device each.

Run as a program it is one of them: it trains the runs that it is told, in turn.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.support.paths import ROOT

SECONDS = 900  # In which each test's processes must have ended.
SILENCE = 10.0  # Of one that is gone; see `fcn_jax.hosts.watch`.


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def environment(**changes):
    found = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **changes}
    for name in ("JAX_NUM_CPU_DEVICES", "COLUMNS"):
        found.pop(name, None)
    return found


class Processes:
    """Processes that were started, and what they said."""

    def __init__(self, commands, **changes):
        self.started = [
            subprocess.Popen(
                [sys.executable, *map(str, command)],
                env=environment(**changes),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for command in commands
        ]
        self.said = [""] * len(self.started)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.started:
            process.kill()
            process.wait()
            process.stdout.close()

    def until(self, number, text):
        """Read what a process says, up to a line with `text`."""
        for line in self.started[number].stdout:
            self.said[number] += line
            if text in line:
                return
        raise AssertionError(f"process {number} ended:\n{self.said[number]}")

    def end(self):
        """The exit codes; what was said stands in `said`."""
        until = time.monotonic() + SECONDS
        for number, process in enumerate(self.started):
            out, _ = process.communicate(timeout=max(1, until - time.monotonic()))
            self.said[number] += out
        return [process.returncode for process in self.started]

    def send(self, number, what=signal.SIGTERM):
        self.started[number].send_signal(what)


def start(count, what, told, tmp_path):
    """This file as a program, in `count` processes: `what` it does, of `told`."""
    path = tmp_path / "told.json"
    path.write_text(json.dumps(told))
    port = free_port()
    program = ("-m", "tests.support.processes", what, path, port)
    return Processes([[*program, index, count] for index in range(count)])


def train_all(count, runs, tmp_path, stop_at=0):
    """Train runs in `count` processes, one after the other: (config, workdir) each.

    The last of them gets SIGTERM where it makes a batch of the last run; 0: never.
    """
    told = [[json.loads(config.to_json()), str(workdir)] for config, workdir in runs]
    with start(count, "train", [told, stop_at], tmp_path) as processes:
        return processes.end(), processes.said


def train(crew, told):
    """Shallow nets, as in the test that compares with them."""
    from fcn_jax.config.parts import RunParts
    from fcn_jax.config.types import Config
    from fcn_jax.runs import trainer
    from tests.support import quick_runs

    runs, stop_at = told
    make = RunParts.train_batches

    def interrupted(*arguments):
        for number, batch in enumerate(make(*arguments), 1):
            if number == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
                while not crew._watch.agreement.asked:
                    time.sleep(0.05)
            yield batch

    for number, (config, workdir) in enumerate(runs, 1):
        if stop_at and number == len(runs) and crew.index == crew.count - 1:
            RunParts.train_batches = interrupted
        with quick_runs.shallow():
            trainer.train(Config(config), workdir, crew=crew)


def add(crew, told):
    """Sum over all devices, again and again; one process is gone, or hangs, at some."""
    import jax
    import jax.numpy as jnp

    total = jax.pmap(lambda x: jax.lax.psum(x, "all"), axis_name="all")
    for number in range(told["times"]):
        if number == told["at"]:
            crew.limit(told["limit"], Path(told["dumps"]))
            crew._watch._silence = SILENCE
        if number == told["at"] and crew.index == told["gone"]:
            if not told["limit"]:
                os.kill(os.getpid(), signal.SIGKILL)
            crew.doing("what hangs")
            threading.Event().wait()
        crew.tick()
        assert float(total(jnp.ones(1))[0]) == crew.count


def main(what, path, port, index, count):
    import jax

    from fcn_jax import hosts
    from fcn_jax.hosts import joining, watch

    # Until one is to be gone: a busy machine may let a process rest.
    watch.SILENCE = joining._HEARTBEAT = SECONDS
    jax.config.update("jax_num_cpu_devices", 1)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    address = f"127.0.0.1:{port}"
    told = json.loads(Path(path).read_text())
    if isinstance(told, dict) and told.get("joined"):  # As Ray Train does.
        jax.distributed.initialize(address, int(count), int(index))
        crew = hosts.joined()
    else:
        crew = hosts.join(hosts.Place(int(index), int(count), address), SECONDS)
    with hosts.together(crew):
        {"train": train, "add": add}[what](crew, told)


if __name__ == "__main__":
    main(*sys.argv[1:])
