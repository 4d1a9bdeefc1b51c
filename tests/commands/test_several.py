"""Which processes a command shares its work with."""

from types import SimpleNamespace

import pytest

from fcn_jax import hosts
from fcn_jax.commands import eval as eval_command
from fcn_jax.commands import several
from fcn_jax.commands import train as train_command
from fcn_jax.hosts import ends
from fcn_jax.runs.stopping import Stopping
from tests.support.boards import crews

FLAGS = {"coordinator": None, "process": None, "processes": None, "join_timeout": 5.0}


def set_environment(monkeypatch, **environment):
    monkeypatch.setattr(several, "os", SimpleNamespace(environ=environment))


@pytest.fixture
def joined(monkeypatch):
    """What was joined, in the environment of nobody."""
    set_environment(monkeypatch)
    found = []
    monkeypatch.setattr(several.hosts, "join", lambda *given: found.append(given))
    return found


def test_alone(joined, capsys):
    assert several.crew_of(SimpleNamespace(**FLAGS)) is hosts.ALONE
    assert (joined, capsys.readouterr().out) == ([], "")


def test_alone_though_slurm_has_several_tasks(joined, monkeypatch, capsys):
    set_environment(monkeypatch, SLURM_NTASKS="4")
    assert several.crew_of(SimpleNamespace(**FLAGS)) is hosts.ALONE
    assert joined == []
    assert "note: Slurm has 4 tasks, and this process was not started by srun" in (
        capsys.readouterr().out
    )


def test_what_a_launcher_says(joined, monkeypatch):
    told = {"COORDINATOR_ADDRESS": "a:1", "NUM_PROCESSES": "2", "PROCESS_ID": "1"}
    set_environment(monkeypatch, **told)
    several.crew_of(SimpleNamespace(**FLAGS))
    ((place, timeout),) = joined
    assert (place.index, place.count, place.coordinator, timeout) == (1, 2, "a:1", 5.0)


def test_a_signal_is_told_to_who_has_joined(monkeypatch):
    """Those that it leaves end with its code then; a run tells it by itself."""
    heard, made = [], hosts.Crew()
    monkeypatch.setattr(made, "listen", heard.append)
    monkeypatch.setattr(several.hosts, "join", lambda *_: made)
    by_hand = {"coordinator": "a:1", "process": 0, "processes": 2}
    with Stopping(str) as stopping:
        assert several.crew_of(SimpleNamespace(**FLAGS | by_hand)) is made
        (asked,) = heard
        assert asked() == 0
        stopping.asked = 15
        assert asked() == 15


@pytest.mark.parametrize(
    ("command", "work"), ((train_command, "train"), (eval_command, "_run"))
)
def test_who_fails_tells_the_others(monkeypatch, command, work):
    """Else they would wait for who is gone, and say that instead of the reason."""

    def fail(*_):
        raise ValueError("a mask is torn")

    left, two = [], crews(2)
    monkeypatch.setattr(ends, "at_once", left.append)
    monkeypatch.setattr(command, work, fail)
    monkeypatch.setattr(command.command_line, "config_of_flags", lambda: None)
    monkeypatch.setattr(several, "place_of", lambda values: None)
    monkeypatch.setattr(several, "crew_of", lambda values: two[1])
    names = ("workdir", "restart", "allow_changed", "report", "compare", "head")
    names += ("resolutions", "scales", "flip")
    values = SimpleNamespace(**dict.fromkeys(names))
    monkeypatch.setattr(eval_command, "_check_head", lambda *_: None)
    with pytest.raises(ValueError, match="a mask is torn"):
        command.run_flags(values)
    assert two[0]._board.look()["gone"] == {1: [1, "a mask is torn"]}
    assert left == [1]
