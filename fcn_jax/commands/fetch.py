r"""Download known weights, checked, and say how to use them.

python -m fcn_jax fetch [NAME] [--cache_dir=DIR] [--address=URL] [--sha256=HEX]
    [--size=BYTES] [--unverified]

Without NAME it lists all that are known. A download that was cut goes on where it
stopped. --address names a mirror; --sha256 and --size say what its file should be.
--unverified takes a file of which no checksum is known, and prints its SHA-256.
"""

import sys

from absl import flags

from fcn_jax.commands import command_line
from fcn_jax.weights import fetching, zoo

_USAGE = "usage: python -m fcn_jax fetch [NAME] [--flag=value ...]"
_OPTIONS = ("cache_dir", "address", "sha256", "size", "unverified")
_names = []


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("cache_dir", None, "Directory; ~/.cache/fcn_jax by default.")
    flags.DEFINE_string("address", None, "Of a mirror, instead of the known one.")
    flags.DEFINE_string("sha256", None, "Checksum, instead of the known one.")
    flags.DEFINE_integer("size", None, "Bytes of the file, instead of the known size.")
    flags.DEFINE_bool("unverified", False, "Take a file whose checksum is not known.")


def parse_flags(argv: list[str]) -> list[str]:
    """Parse the command line; a mistake in it ends the process with one message."""
    try:
        program, *names = flags.FLAGS(argv)
        if len(names) > 1:
            raise flags.Error(f"there is more than one name, {names}; {_USAGE}")
        given = [f"--{name}" for name in _OPTIONS if flags.FLAGS[name].value]
        if given and not names:
            raise flags.Error(f"{given[0]} is for a NAME, which is missing; {_USAGE}")
    except flags.Error as error:
        sys.exit(f"fcn_jax fetch: {error}")
    _names[:] = names
    return [program]


def run_flags(values: flags.FlagValues) -> None:
    """List or fetch as the command line says."""
    if not _names:
        print("\n\n".join(zoo.describe(name) for name in zoo.WEIGHTS))
        return
    name = _names[0]
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


def main(argv: list[str]) -> None:
    """Read the flags and list or fetch."""
    del argv
    command_line.run_reporting_errors(lambda: run_flags(flags.FLAGS))
