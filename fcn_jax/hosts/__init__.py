"""Several processes that train as one: who each is, what they agree on, who is gone.

`place` tells from flags and environment who this process is, `joining` makes a crew of
all, `crew` is what a run knows of them. JAX's collectives are `fcn_jax.parallel`'s.
"""

from fcn_jax.hosts.crew import ALONE, Crew, together
from fcn_jax.hosts.ends import GONE
from fcn_jax.hosts.joining import TIMEOUT, join, joined
from fcn_jax.hosts.place import Place, find, note

__all__ = [
    "ALONE",
    "GONE",
    "TIMEOUT",
    "Crew",
    "Place",
    "find",
    "join",
    "joined",
    "note",
    "together",
]
