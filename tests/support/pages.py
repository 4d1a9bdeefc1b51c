"""What README and docs say: their commands, their Python, their links, their tables."""

import functools
import importlib
import re
import shlex

import yaml
from absl import flags

from fcn_jax import __main__
from fcn_jax.config import base, families, named, with_options
from tests.support.paths import ROOT

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PROGRAM = re.compile(r"(?:.*\| )?(?:\w+=\S+ )*(?:python -m )?fcn_jax (?=[a-z])(.*)")
_STANDS_FOR = re.compile(r"[A-Z][A-Z_0-9]*(\.\w+)?|\.\.\.")  # FILE, DIR, N, OUT.npz.


def text_of(page):
    return (ROOT / page).read_text("utf-8")


def blocks(page):
    """(language, text) of every fenced block; "" where no language is named."""
    return _FENCE.findall(text_of(page))


def python_of(page):
    return [text for language, text in blocks(page) if language == "python"]


def commands_of(text):
    """The command lines of fcn_jax in a text, without the program, as lists."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        match = _PROGRAM.fullmatch(line.strip())
        if match:
            found.append(shlex.split(match[1], comments=True))
    return found


def commands(page):
    """Those of a page's blocks, and of what stands in `backticks` in its text."""
    found = [each for _, text in blocks(page) for each in commands_of(text)]
    prose = _FENCE.sub("", text_of(page))
    for code in re.findall(r"`([^`]+)`", prose):
        found += commands_of(" ".join(code.split()))
    return found


@functools.cache
def config_keys(name=""):
    """Keys of a config, or of every family."""
    if name:
        mode = name.partition(":")
        make = named.load(mode[0]).get_config
        configs = [make(*((mode[2],) if mode[1] else ()))]
    else:
        configs = [base.base_config(family) for family in families.FAMILIES]
    return {key for config in configs for key in _keys(config)}


def _keys(config, prefix=""):
    for name, value in config.items():
        if hasattr(value, "items"):
            yield from _keys(value, f"{prefix}{name}.")
        yield prefix + name


def mistakes(command):
    """What is wrong with a command line: names of commands, flags, keys; values.

    Args:
        command: Its words, the program apart.
    """
    name, *words = command
    if name not in __main__.COMMANDS:
        return [f"no command {name}"]
    given = dict(
        word.removeprefix("--").partition("=")[::2]
        for word in words
        if word.startswith("--")
    )
    before = set(flags.FLAGS)
    importlib.import_module(f"fcn_jax.commands.{name}").COMMAND.define_flags()
    own = set(flags.FLAGS) - before
    try:
        return [
            wrong
            for flag, value in given.items()
            if (wrong := _wrong(flag, value, own, given.get("config", "")))
        ]
    finally:
        for flag in own:
            delattr(flags.FLAGS, flag)


def _wrong(flag, value, own, config):
    """What is wrong with a flag and its value; None: nothing."""
    if flag in ("help", "debug"):
        return None
    if flag.startswith("config.") and "config" in own:
        key = flag.removeprefix("config.")
        free = key.startswith(tuple(f"{each}." for each in with_options.FREE_DICTS))
        known = config if config and not _STANDS_FOR.fullmatch(config) else ""
        return None if free or key in config_keys(known) else f"no key --{flag}"
    if flag == "config" and "config" in own:
        known = _STANDS_FOR.fullmatch(value) or value.partition(":")[0] in named.names()
        return None if known or (ROOT / value).exists() else f"no config {value}"
    definition = flags.FLAGS[flag] if flag in own else None
    if definition is None and flag.startswith("no") and flag[2:] in own:
        return None if flags.FLAGS[flag[2:]].boolean else f"{flag[2:]} is no switch"
    if definition is None:
        return f"no flag --{flag}"
    if value and not _STANDS_FOR.fullmatch(value):
        try:
            definition.parser.parse(value)
        except ValueError as error:
            return f"--{flag}={value}: {error}"
    return None


def rows(page):
    """The rows of a page's tables, as lists of cells, with what heads their columns."""
    found, head = [], None
    for line in text_of(page).splitlines():
        if not line.startswith("|"):
            head = None
            continue
        # A bar ends a cell in `backticks` too, on GitHub and in Sphinx.
        cells = [x.strip() for x in re.split(r"(?<!\\)\|", line)[1:-1]]
        if head is None:
            head = cells
        elif not set("".join(cells)) <= set("-: "):
            found.append(dict(zip(head, cells, strict=True)))
    return found


def order():
    """The pages in docs/_toc.yml, without their endings."""
    root = yaml.safe_load(text_of("docs/_toc.yml"))
    found = [root["root"]]

    def walk(part):
        for tree in part.get("subtrees", ()):
            for entry in tree["entries"]:
                found.append(entry["file"])
                walk(entry)

    walk(root)
    return found


def anchors(page):
    """The headings of a page, as links name them."""
    prose = _FENCE.sub("", text_of(page))
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }
