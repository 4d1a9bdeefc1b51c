"""How the pages are built: `make docs`. Their order is in _toc.yml."""

import inspect
import os
import pkgutil
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # Of the notebook, too.
sys.path.insert(0, str(Path(__file__).resolve().parent / "extensions"))

import fcn_jax

project = "fcn_jax"
author = "the authors of fcn_jax"
version = release = fcn_jax.__version__
copyright = author

extensions = [
    "command_help",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_external_toc",
]
exclude_patterns = ["_build"]

# Every name of fcn_jax that is named exists, or the build fails.
nitpicky = True
nitpick_ignore_regex = [
    # Parameters, expressions, types of other packages, type variables.
    (r"py:.*", r"(?!fcn_jax(\.\w+)+$).*"),
    (r"py:class", r"fcn_jax\..*\._?T"),
]
default_role = "py:obj"  # What stands in `backticks` in docstrings.
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 1800  # Seconds a cell, on a machine with much else to do.
nb_merge_streams = True
nb_render_markdown_format = "myst"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
copybutton_exclude = ".linenos, .gp, .go"

highlight_language = "none"  # Of blocks that name none: commands, trees, tables.

html_theme = "furo"
html_title = f"fcn_jax {version}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

# Fields that Flax gives every module.
_OF_FLAX = ("parent", "name")


def _without_flax(app, what, name, thing, options, signature, returned):
    """The signature of a Linen module without what Flax adds to it."""
    del app, name, options
    if what != "class" or "parent" not in (signature or ""):
        return None
    found = inspect.signature(thing)
    kept = [p for key, p in found.parameters.items() if key not in _OF_FLAX]
    return str(found.replace(parameters=kept, return_annotation=found.empty)), returned


def _exists(app, env, node, content):
    """A name that has no page but is there is code; one that is not is a warning."""
    del app, env
    try:
        pkgutil.resolve_name(node["reftarget"])
    except (ImportError, AttributeError, ValueError):
        return None
    return content if node["reftarget"].startswith("fcn_jax.") else None


def setup(app):
    """Connect what stands above with the build."""
    app.connect("missing-reference", _exists)
    app.connect("autodoc-process-signature", _without_flax)
