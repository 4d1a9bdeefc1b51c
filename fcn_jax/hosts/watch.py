"""Watches the other processes beside the training: who is gone, who hangs, who stops.

A thread in each process posts twice a second that it lives, and reads what the others
post. Where one is gone the main thread may wait for it in a collective for ever: the
process is ended from here.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from fcn_jax.hosts import ends
from fcn_jax.hosts.board import Board
from fcn_jax.hosts.pace import Pace
from fcn_jax.hosts.stops import Agreement

_TICK = 0.5  # Seconds between two looks.
SILENCE = 10.0  # Seconds without a sign of life after which a process is gone.
_SOON = 3.0  # The same where a collective has failed, or what it is to be told is said.
_ADVICE = "Run the same command on all again, to go on from the last checkpoint."


class Watch:
    """The thread, and what the main thread tells it.

    Args:
        board: Of all processes.
        index: Of this one.
        names: A word on each process, such as its host.

    Attributes:
        agreement: On where all stop.
        pace: Of this process.
    """

    def __init__(self, board: Board, index: int, names: Sequence[str]):
        self._board, self._index, self._names = board, index, names
        self.agreement = Agreement(len(names))
        self._asked: Callable[[], int] = lambda: 0
        self.pace = Pace()
        self._beats: dict[int, tuple[object, float]] = {}
        self._silence = SILENCE
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hosts", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Watch no longer: all end."""
        self._over.set()
        self._thread.join(_SOON)

    def listen(self, asked: Callable[[], int]) -> None:
        """Have a signal to this process end all.

        Args:
            asked: The number of the signal that came; 0: none.
        """
        self._asked = asked

    def suspect(self) -> None:
        """A collective has failed: who is silent now is gone sooner."""
        self._silence = _SOON

    def farewell(self, code: int, text: str, gone: int | None = None) -> None:
        """Tell the others why this process ends, and wait until they have read it.

        Args:
            code: Exit code, which they end with too.
            text: Why.
            gone: Who reads nothing any more; None: all may.
        """
        if self._over.is_set():
            return  # All have left already.
        self._over.set()
        self._board.post("gone", [code, text])
        until = time.monotonic() + _SOON
        others = set(range(len(self._names))) - {self._index, gone}
        # With process 0 the board is gone; the others need not be waited for.
        while self._index == 0 and time.monotonic() < until:
            if others <= self._board.look().get("read", {}).keys():
                return
            time.sleep(_TICK / 5)

    def lost(self) -> tuple[int, str]:
        """How this process ends where JAX's service gives up: exit code, and a line."""
        if self._index == 0:  # Where that lives; by this it says that another is gone.
            who = _silent(dict(self._beats))
            name = "another process" if who is None else self._named(who)
            return self._code(), f"{name} is gone. {_ADVICE}"
        return self._code(), (
            f"{self._named(0)} is gone: its coordination service does not answer. "
            f"{_ADVICE}"
        )

    def _run(self) -> None:
        while not self._over.wait(_TICK):
            try:
                self._look()
            except Exception as error:
                if not self._over.is_set():
                    code, text = self.lost()
                    ends.end(code, f"{text} ({type(error).__name__})")

    def _look(self) -> None:
        asked = self._asked()
        if asked:
            self._board.post("stop", asked)
        beat = [time.monotonic(), self.agreement.begun, self.pace.what]
        self._board.post("beat", beat)
        seen = self._board.look()
        self._answer_ends(seen.get("gone", {}))
        self._answer_stops(seen)
        self._check_silence(seen.get("beat", {}))
        self._check_progress(seen.get("beat", {}))

    def _answer_ends(self, gone: Mapping[int, object]) -> None:
        for process, said in gone.items():
            if process != self._index and not self._over.is_set():
                code, text = cast("tuple[int, str]", said)
                self.pace.dump(self._named(self._index))
                self._board.post("read", True)
                ends.end(code, f"{self._named(process)} ended: {text}")

    def _answer_stops(self, seen: Mapping[str, Mapping[int, object]]) -> None:
        wishes = seen.get("stop", {})
        if wishes and self._index not in seen.get("begun", {}):
            number = cast("int", min(wishes.items())[1])
            self._board.post("begun", self.agreement.heard(number))
        self.agreement.settle(cast("Mapping[int, int]", seen.get("begun", {})))

    def _check_silence(self, beats: Mapping[int, object]) -> None:
        now = time.monotonic()
        for process in range(len(self._names)):
            beat = beats.get(process)
            before = self._beats.get(process)
            if before is None or before[0] != beat:
                self._beats[process] = beat, now
            elif now - before[1] > self._silence and process != self._index:
                text = (
                    f"{self._named(process)} is gone: no sign of life for "
                    f"{now - before[1]:.0f} s. {_ADVICE}"
                )
                self.farewell(self._code(), text, process)
                ends.end(self._code(), text)

    def _check_progress(self, beats: Mapping[int, object]) -> None:
        waited = self.pace.overdue()
        if not waited:
            return
        doing = {p: cast("Sequence", beat)[1:] for p, beat in beats.items()}
        where = "; ".join(
            f"process {p} ({self._names[p]}) is at {what}"
            for p, (_, what) in sorted(doing.items())
        )
        self.pace.dump(self._named(self._index))
        text = (
            f"nothing got on for {waited:.0f} s (config.hang_timeout="
            f"{self.pace.limit:g}): {where}. Stack traces are in "
            f"{self.pace.dumps}/hang_*.txt. {_ADVICE}"
        )
        self.farewell(ends.GONE, text)
        ends.end(ends.GONE, text)

    def _named(self, process: int) -> str:
        return f"process {process} of {len(self._names)} ({self._names[process]})"

    def _code(self) -> int:
        asked = self.agreement.asked
        return 128 + asked if asked else ends.GONE


def _silent(beats: Mapping[int, tuple[object, float]]) -> int | None:
    """Who but process 0 has given no sign of life for longest, if any ever did."""
    return min((p for p in beats if p), key=lambda p: beats[p][1], default=None)
