"""JAX's coordination service, as far as a board asks it, and crews of threads."""

import threading

from fcn_jax.hosts.board import Board
from fcn_jax.hosts.crew import Joined
from fcn_jax.hosts.watch import Watch


class Service:
    """What all clients write and read."""

    def __init__(self):
        self.values, self.changed = {}, threading.Condition()

    def key_value_set(self, key, value, allow_overwrite=False):
        with self.changed:
            assert allow_overwrite or key not in self.values, key
            self.values[key] = value
            self.changed.notify_all()

    def blocking_key_value_get(self, key, timeout_in_ms):
        with self.changed:
            if not self.changed.wait_for(lambda: key in self.values, 0.01):
                raise RuntimeError(f"DEADLINE_EXCEEDED: {timeout_in_ms} ms")
            return self.values[key]

    def key_value_dir_get(self, key):
        with self.changed:
            return [(k, v) for k, v in self.values.items() if k.startswith(key)]

    def key_value_delete(self, key):
        with self.changed:
            del self.values[key]


def together(*functions):
    """Call functions, each in a thread, and return what each returned or raised."""
    found = [None] * len(functions)

    def run(place, function):
        try:
            found[place] = function()
        except Exception as error:
            found[place] = error

    threads = [
        threading.Thread(target=run, args=each, daemon=True)
        for each in enumerate(functions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)  # Where the machine is busy, compiling takes its time.
        assert not thread.is_alive()
    return found


def crews(count):
    """Crews of processes that are threads; nobody watches them."""
    service = Service()
    names = [f"host{index}" for index in range(count)]
    found = []
    for index in range(count):
        board = Board(service, index, count)
        watch = Watch(board, index, names)
        found.append(Joined(index, count, board, watch, lambda: None))
    return found


def each(crews, function):
    """Call a function with each crew, all at once; what each returned or raised."""
    return together(*(lambda crew=crew: function(crew) for crew in crews))
