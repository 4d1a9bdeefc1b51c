"""The directive `command-help`: what `fcn_jax COMMAND --help` says, of each."""

import importlib

from absl import flags
from docutils import nodes
from docutils.parsers.rst import Directive

from fcn_jax import __main__
from fcn_jax.commands import command


def help_of(name):
    """The text of a command's help.

    Args:
        name: One of `fcn_jax.__main__.COMMANDS`.
    """
    found = importlib.import_module(f"fcn_jax.commands.{name}").COMMAND
    before = set(flags.FLAGS)
    found.define_flags()
    own = set(flags.FLAGS) - before
    try:
        return command.describe(found, own)
    finally:
        for flag in own:
            delattr(flags.FLAGS, flag)


class CommandHelp(Directive):
    """A section for each command, in the order of `fcn_jax --help`."""

    def run(self):
        """Its nodes."""
        sections = []
        for name in __main__.COMMANDS:
            section = nodes.section(ids=[f"fcn-jax-{name.replace('_', '-')}"])
            section += nodes.title(text=f"fcn_jax {name}")
            text = help_of(name)
            section += nodes.literal_block(text, text, language="none")
            sections.append(section)
        return sections


def setup(app):
    """Make the directive known."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
