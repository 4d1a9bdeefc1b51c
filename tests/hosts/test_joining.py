"""Processes that meet, and one that is gone: what the others say, and end with."""

import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from fcn_jax.hosts import ends, joining
from fcn_jax.hosts.place import Place
from fcn_jax.storage import checkpoints, trees
from tests.support import processes
from tests.support.states import train_state

# It hears SIGABRT, as JAX's runtime sends it, on another thread.
ABORTED = """
import ctypes, threading
from fcn_jax.hosts import ends
ends.on_abort(lambda: (75, "process 0 is gone"))
threading.Thread(target=ctypes.CDLL(None).abort).start()
threading.Event().wait()
"""


@pytest.mark.long
@pytest.mark.parametrize(("gone", "joined"), ((0, False), (1, True)))
def test_who_is_left_says_who_is_gone(tmp_path, gone, joined):
    """Where they joined each other, and where another library had joined them."""
    told = {"gone": gone, "at": 3, "times": 10_000, "limit": 0, "dumps": ""}
    told["joined"] = joined
    with processes.start(2, "add", told, tmp_path) as both:
        codes = both.end()
    assert codes[gone] == -9
    assert codes[1 - gone] == 75, both.said[1 - gone]
    assert f"error: process {gone} of 2 (" in both.said[1 - gone]
    assert "is gone" in both.said[1 - gone]
    assert "Run the same command on all again" in both.said[1 - gone]


@pytest.mark.long
def test_commands_that_differ_end_all_and_nothing_is_written(tmp_path):
    address = f"127.0.0.1:{processes.free_port()}"
    workdir = tmp_path / "run"
    program = ("-m", "fcn_jax", "train", "--config=shapes_fcn8s", "--processes=2")
    where = (f"--workdir={workdir}", f"--coordinator={address}", "--join_timeout=900")
    commands = [
        [*program, *where, f"--process={n}", f"--config.seed={n}"] for n in range(2)
    ]
    with processes.Processes(commands) as both:
        assert both.end() == [1, 1]
    for said in both.said:
        assert "error: the 2 processes of this run differ: config.seed is 0 in" in said
        assert "0 in process 0, 1 in process 1. Start all with the same" in said
    assert not workdir.exists()


@pytest.mark.long
def test_one_that_hangs_ends_both_with_stack_traces(tmp_path):
    told = {"gone": 1, "at": 3, "times": 10_000, "limit": 3, "dumps": str(tmp_path)}
    with processes.start(2, "add", told, tmp_path) as both:
        assert both.end() == [75, 75], "\n".join(both.said)
    for said in both.said:
        assert "nothing got on for" in said
        assert "(config.hang_timeout=3): process 0 (" in said
        assert "is at what hangs. Stack traces are in" in said
    assert " in add" in (tmp_path / "hang_1.txt").read_text()
    assert " in add" in (tmp_path / "hang_0.txt").read_text()


def test_an_abort_of_the_runtime_is_answered():
    found = subprocess.run(
        [sys.executable, "-c", ABORTED],
        capture_output=True,
        text=True,
        env=processes.environment(),
        timeout=processes.SECONDS,
    )
    assert (found.returncode, found.stderr) == (75, "error: process 0 is gone\n")


def test_who_writes_ends_when_it_is_whole(monkeypatch):
    said = []
    monkeypatch.setattr(ends, "writing", threading.RLock())
    monkeypatch.setattr(ends, "_once", threading.Lock())
    told = SimpleNamespace(write=lambda _, text: said.append(text), _exit=said.append)
    monkeypatch.setattr(ends, "os", told)
    with ends.writing:
        thread = threading.Thread(target=ends.end, args=(75, "process 1 is gone"))
        thread.start()
        thread.join(0.1)
        assert said == []
    thread.join(processes.SECONDS)
    assert said == [b"error: process 1 is gone\n", 75]


def test_who_ends_waits_for_what_a_thread_still_writes(monkeypatch, tmp_path):
    """Orbax returns from a save, and goes on with it."""
    said, waits = [], threading.Event()
    handler = checkpoints.ocp.JsonCheckpointHandler
    write = handler._save_fn

    async def late(*given):
        assert waits.wait(processes.SECONDS)
        await write(*given)

    monkeypatch.setattr(handler, "_save_fn", late)
    monkeypatch.setattr(ends, "writing", threading.RLock())
    monkeypatch.setattr(ends, "_once", threading.Lock())
    store = checkpoints.CheckpointStore(tmp_path)
    told = SimpleNamespace(write=lambda *_: None, _exit=lambda _: said.append("end"))
    monkeypatch.setattr(ends, "os", told)

    def wait():
        waits.set()
        store.wait()
        said.append(store.steps())

    store.save(trees.to_arrays(train_state(3)), metadata={})
    with ends.awaiting(wait), ends.awaiting(lambda: 1 / 0):
        ends.end(75, "process 1 is gone")
    assert said == [[3], "end"]
    assert ends._unfinished == []
    store.close()


def test_a_coordinator_that_is_not_there_is_named():
    address = f"127.0.0.1:{processes.free_port()}"
    with pytest.raises(
        ValueError,
        match=f"no coordinator at {address} .--coordinator. within 0.1 s .*refused.*: "
        "start process 0 there, or mend --coordinator=HOST:PORT",
    ):
        joining.join(Place(1, 2, address), timeout=0.1)


def test_a_coordinator_is_asked_once_at_least(monkeypatch):
    """Of a process that came late to it, by a machine that is busy."""
    times = iter((0.0, 1000.0))
    told = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr(joining, "time", told)
    with socket.create_server(("127.0.0.1", 0)) as there:
        joining._knock(f"127.0.0.1:{there.getsockname()[1]}", "--coordinator", 0.1)
    address = f"127.0.0.1:{processes.free_port()}"
    times = iter((0.0, 1000.0))
    with pytest.raises(ValueError, match=r"within 0.1 s \(.*refused.*\): start pro"):
        joining._knock(address, "--coordinator", 0.1)


@pytest.mark.parametrize(
    ("place", "where"),
    (
        (Place(0, 2, "node1:29500"), "node1:29500"),
        (Place(found="TPU_WORKER_HOSTNAMES"), "the coordinator that TPU_WORKER_HOSTN"),
    ),
)
def test_what_jax_says_when_it_joins_none_is_told_with_the_address(
    monkeypatch, place, where
):
    """And so is an abort of its runtime before all have come."""
    answers, given, now = [], {}, [100.0]
    monkeypatch.setattr(joining, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def refuse(*_, **options):
        given.update(options)
        raise RuntimeError("DEADLINE_EXCEEDED: barrier timed out\nand more")

    monkeypatch.setattr(joining.ends, "on_abort", answers.append)
    monkeypatch.setattr(joining, "_configure", lambda: None)
    monkeypatch.setattr(joining.jax.distributed, "initialize", refuse)
    with pytest.raises(
        ValueError,
        match=rf"asked for \({place.found}\), and JAX could not join them at {where}"
        r".*: DEADLINE_EXCEEDED: barrier timed out\. Mend that, or give --coordinator=",
    ):
        joining.join(place, timeout=7)
    assert (given["initialization_timeout"], given["local_device_ids"]) == (7, None)
    now[0] += 2
    code, said = answers[0]()
    assert code == 1
    assert f"refused process {place.index} after 2 s, as where another one has" in said
    assert "start each of them once, with a --process of its own" in said
    now[0] += 5
    code, said = answers[0]()
    assert code == 1
    assert said.startswith(f"not all {'2 ' if place.count else ''}processes came")
    assert "within 7 s: see that each is started, and can reach that address" in said


def test_a_port_that_another_program_has_is_told(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("UNKNOWN: Failed to start RPC server")  # As jax 0.10 does.

    monkeypatch.setattr(joining.ends, "on_abort", lambda answer: None)
    monkeypatch.setattr(joining, "_configure", lambda: None)
    monkeypatch.setattr(joining.jax.distributed, "initialize", refuse)
    with pytest.raises(
        ValueError,
        match="process 0 cannot listen at node1:29500 .--coordinator.: another program "
        "has that port, .* or give all processes a free one, as --coordinator=HOST",
    ):
        joining.join(Place(0, 2, "node1:29500"))


def test_one_task_a_host_has_all_of_its_devices(monkeypatch):
    """Else JAX would give it one of them."""
    monkeypatch.delenv("JAX_LOCAL_DEVICE_IDS", raising=False)
    assert joining._all_devices(Place(1, 2, all_devices=True)) == []
    assert joining._all_devices(Place(1, 2)) is None
    monkeypatch.setenv("JAX_LOCAL_DEVICE_IDS", "0,1")
    assert joining._all_devices(Place(1, 2, all_devices=True)) is None
