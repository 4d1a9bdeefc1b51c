"""The board on which all processes write: what JAX's coordination service stores."""

import json
from typing import Protocol

_SLICE = 5.0  # Seconds of one wait for what others write; then it is waited again.


class Client(Protocol):
    """What is used of JAX's client; jax 0.10 to 0.12 have it."""

    def key_value_set(self, key: str, value: str, allow_overwrite: bool = ...) -> None:
        """Write a value.

        Args:
            key: Where.
            value: Of it.
            allow_overwrite: Whether one may be there.
        """
        ...

    def blocking_key_value_get(self, key: str, timeout_in_ms: int) -> str:
        """Wait for a value.

        Args:
            key: Where.
            timeout_in_ms: After which it is an error.
        """
        ...

    def key_value_dir_get(self, key: str) -> list[tuple[str, str]]:
        """All values below a key."""
        ...

    def key_value_delete(self, key: str) -> None:
        """Take a value away."""
        ...


class Board:
    """Values of JSON that processes tell each other, on no device.

    Args:
        client: Of JAX's coordination service, which lives in process 0.
        index: Of this process.
        count: Of all.
    """

    def __init__(self, client: Client, index: int, count: int):
        self._client, self._index, self._count = client, index, count
        self._round = 0

    def gather(self, what: str, value: object) -> list:
        """The values of all processes, in their order; each gives one.

        It waits as long as it takes: whether the others live is watched elsewhere.

        Args:
            what: Is told, the same in all processes: they must be at the same place.
            value: Of this process, JSON.

        Raises:
            RuntimeError: If another is elsewhere in its program.
        """
        self._round += 1
        mine = json.dumps([what, value])
        self._client.key_value_set(f"{self._key(self._round)}{self._index}", mine)
        found = []
        for process in range(self._count):
            text = mine if process == self._index else self._read(process)
            theirs, given = json.loads(text)
            if theirs != what:
                raise RuntimeError(
                    f"process {self._index} tells {what!r} where process {process} "
                    f"tells {theirs!r}: they run different programs; start all from "
                    f"the same installation of fcn_jax."
                )
            found.append(given)
        if self._round > 1:  # All have read it, or they would not be here.
            self._client.key_value_delete(f"{self._key(self._round - 1)}{self._index}")
        return found

    def _read(self, process: int) -> str:
        key = f"{self._key(self._round)}{process}"
        while True:
            try:
                return self._client.blocking_key_value_get(key, int(1000 * _SLICE))
            except Exception as error:
                if "DEADLINE_EXCEEDED" not in str(error):
                    raise

    def _key(self, number: int) -> str:
        return f"fcn_jax/said/{number}/"

    def post(self, name: str, value: object) -> None:
        """Write what any process may look at, over what it wrote before.

        Args:
            name: Of the value.
            value: JSON.
        """
        key = f"fcn_jax/live/{name}/{self._index}"
        self._client.key_value_set(key, json.dumps(value), allow_overwrite=True)

    def look(self) -> dict[str, dict[int, object]]:
        """What all have posted, by name and process."""
        found: dict[str, dict[int, object]] = {}
        for key, text in self._client.key_value_dir_get("fcn_jax/live/"):
            name, process = key.split("/")[-2:]
            found.setdefault(name, {})[int(process)] = json.loads(text)
        return found
