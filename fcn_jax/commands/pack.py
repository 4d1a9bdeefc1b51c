r"""Pack a trained run into a small file that others start from.

fcn_jax pack RUN NAME.safetensors [--step=N] [--split=val] [--root=DIR]
    [--commit=HASH] [--most_mb=12]
fcn_jax pack runs/shapes shapes-fcn8s.safetensors

Kernels are rounded to float16. The file says which net it is, what images go through,
the classes and their colours, what it scores on the split after rounding, and at which
commit it was made. It is used by its path or, in fcn_jax/pretrained, by its name:
fcn_jax.create("fcn8s", pretrained=...), fcn_jax.load(...), fcn_jax predict, and
config.init_from.
"""

from collections.abc import Sequence

from absl import flags

from fcn_jax.commands.command import Command
from fcn_jax.runs import packing

_USAGE = "usage: fcn_jax pack RUN NAME.safetensors [--flag=value ...]"


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_integer("step", None, "Checkpoint; the best by default.")
    flags.DEFINE_string("split", None, "That it is scored on; the config's by default.")
    flags.DEFINE_string("root", "", "Where the data lie, if not where they did.")
    flags.DEFINE_string("commit", "", "Of the sources that trained it; recorded.")
    flags.DEFINE_float("most_mb", packing.MOST / 1e6, "MB that the file may have.")


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There must be a run and a name.

    Args:
        values: Of the flags.
        operands: Run and name.

    Raises:
        flags.Error: If there are not.
    """
    del values
    if len(operands) != 2:
        raise flags.Error(
            f"a run and a name are needed, not {list(operands)}; {_USAGE}"
        )


def run_flags(values: flags.FlagValues, run: str, out: str) -> None:
    """Pack as the command line says.

    Args:
        values: Of the flags.
        run: Directory of the run.
        out: The file.
    """
    found = packing.pack(
        run,
        out,
        step=values.step,
        split=values.split,
        root=values.root,
        commit=values.commit,
        most=values.most_mb * 1e6,
    )
    before, after = found.mean_iu
    print(
        f"written: {found.path}, {found.size / 1e6:.1f} MB; mean IU {after:.4f} in "
        f"float16, {before:.4f} before"
    )


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
)
