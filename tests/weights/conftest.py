"""Loading arrays as if a file held them: what the readers return is given by hand."""

import functools

import numpy as np
import pytest

from fcn_jax.storage import trees
from fcn_jax.weights import formats, loading, variables
from tests.support import foreign_weights as foreign

_shapes = functools.cache(variables.shapes)


@pytest.fixture
def load(monkeypatch):
    """Load arrays into a net: its flat variables, and what was said."""

    def run(arrays, model, file_format="pytorch", metadata=None, bn=None, **options):
        file = formats.File(file_format, arrays, metadata or {}, bn)
        monkeypatch.setattr(formats, "read", lambda path: file)
        monkeypatch.setattr(variables, "shapes", _shapes)  # Traced once a net.
        found, report = loading.load_weights("file", model, **options)
        return trees.flatten(found), str(report)

    return run


@pytest.fixture
def same():
    """Whether two nets' flat variables are the same, to a tolerance."""

    def check(found, expected, rtol=0.0):
        assert found.keys() == expected.keys()
        for name, x in expected.items():
            assert found[name].dtype == x.dtype, name
            np.testing.assert_allclose(found[name], x, rtol=rtol, err_msg=name)

    return check


@pytest.fixture(scope="session")
def fcn8s():
    """A small net and its flat variables, which nobody may change."""
    model = foreign.create()
    return model, foreign.drawn(model)


@pytest.fixture(scope="session")
def learned():
    model = foreign.create(upsampling="learned")
    return model, foreign.drawn(model)


@pytest.fixture(scope="session")
def deconvnet():
    model = foreign.create("deconvnet", padding="same")
    return model, foreign.drawn(model)


@pytest.fixture
def write(tmp_path):
    """A function that puts bytes into a file; its name says nothing of the form."""

    def written(data):
        path = tmp_path / "weights"
        path.write_bytes(data)
        return path

    return written
