"""Several processes of this machine that train together, with one virtual device each.

Run as a program it is one of them: it trains the runs that it is told, in turn.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

from tests.support.paths import ROOT

SECONDS = 400  # In which each test's processes must have ended.


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


def command(count, config, workdir, *arguments):
    """`fcn_jax train` in `count` processes."""
    port = free_port()
    return [
        [
            *("-m", "fcn_jax", "train", f"--config={config}", f"--workdir={workdir}"),
            *(f"--coordinator=127.0.0.1:{port}", f"--process={index}"),
            *(f"--processes={count}", "--join_timeout=60", *arguments),
        ]
        for index in range(count)
    ]


def train_all(count, runs, tmp_path):
    """Train runs in `count` processes, one after the other: (config, workdir) each."""
    told = tmp_path / "runs.json"
    told.write_text(
        json.dumps([(json.loads(config.to_json()), str(w)) for config, w in runs])
    )
    port = free_port()
    commands = [
        ["-m", "tests.support.processes", told, port, index, count]
        for index in range(count)
    ]
    with Processes(commands) as processes:
        codes = processes.end()
    assert codes == [0] * count, "\n".join(processes.said)
    return processes.said


def main(told, port, index, count):
    import jax

    from fcn_jax import hosts
    from fcn_jax.config.types import Config
    from fcn_jax.runs import trainer

    jax.config.update("jax_num_cpu_devices", 1)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    crew = hosts.join(
        hosts.Place(int(index), int(count), f"127.0.0.1:{port}"), timeout=60
    )
    with open(told) as file:
        for config, workdir in json.load(file):
            trainer.train(Config(config), workdir, crew=crew)
    crew.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
