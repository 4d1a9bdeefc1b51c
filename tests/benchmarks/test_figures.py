"""The figures of docs/how_it_works.md: their numbers are those of the networks."""

import xml.etree.ElementTree as ElementTree

import jax
import numpy as np
import pytest

import fcn_jax
from benchmarks.figures import __main__ as command
from benchmarks.figures import drawing, shapes
from fcn_jax.models.encoders import vgg
from tests.support import pages


def texts(svg):
    """What is written in a drawing, in its order."""
    nodes = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(node.itertext()).strip() for node in nodes]


@pytest.mark.parametrize("name", drawing.FIGURES)
def test_what_is_kept_is_what_the_code_draws(name):
    """Else: python -m benchmarks.figures."""
    kept = (command.FOLDER / f"{name}.svg").read_text("utf-8")
    drawn = texts(command.svg(drawing.FIGURES[name]()))
    assert texts(kept) == drawn
    assert len(drawn) > 8
    assert f"(figures/{name}.svg)" in pages.text_of("docs/how_it_works.md")


def test_numbers_follow_the_layer_list(monkeypatch):
    before = texts(command.svg(drawing.fcn()))
    monkeypatch.setitem(vgg.PADDINGS, "caffe", (84, 0))
    after = texts(command.svg(drawing.fcn()))
    assert "698x698x64" in before
    assert "666x666x64" in after


def test_maps_are_those_that_the_networks_make():
    encoder = fcn_jax.create("fcn8s", full_padding=True).encoder
    image = jax.ShapeDtypeStruct((1, 500, 500, 3), "float32")
    variables = jax.eval_shape(encoder.init, jax.random.key(0), image)
    found = jax.eval_shape(encoder.apply, variables, image).maps
    listed = {each.name: each for each in shapes.encoder_maps()}
    assert "pool5" in found
    for name, x in found.items():
        assert x.shape == (1, *(listed[name].side,) * 2, listed[name].channels), name


@pytest.mark.parametrize("name", shapes.NETS)
def test_the_last_upsampling_covers_the_image(name):
    last = shapes.meetings(name)[-1]
    assert last.offset + shapes.SIDE <= last.after
    assert last.offset == {"fcn32s": 19, "fcn16s": 27, "fcn8s": 31}[name]


def test_a_receptive_field_by_hand():
    """Two 3x3 convolutions see 5 pixels, the pooling after them 6, every second."""
    pool1 = next(field for field in shapes.fields() if field.name == "pool1")
    assert (pool1.side, pool1.stride) == (6, 2)
    # The first cell is of pixels 0 and 1 of a map that begins 99 before the image.
    assert pool1.first == -98.5


def test_a_cell_sees_its_field_and_no_more():
    """Which pixels of the image move a cell of pool2."""
    encoder = vgg.VGG16(padding="same", width=1 / 64, fc_features=64)
    rising = np.tile(np.arange(1.0, 65, dtype="float32")[:, None, None], (1, 64, 3))
    variables = jax.tree.map(
        lambda x: np.full(x.shape, 0.1, x.dtype),
        jax.eval_shape(encoder.init, jax.random.key(0), rising[None]),
    )

    @jax.jit
    @jax.grad
    def moved(image):
        return encoder.apply(variables, image[None]).maps["pool2"][0, 8, 8, 0]

    # A pooling sees its maximum alone: that of the last rows, or of the first.
    found = np.abs(moved(rising)) + np.abs(moved(rising[::-1].copy()))
    rows = np.flatnonzero(found.sum((1, 2)))
    field = next(x for x in shapes.fields() if x.name == "pool2")
    assert rows.max() - rows.min() + 1 == field.side == 16


def test_the_figures_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["figures", f"--out={tmp_path / 'new'}"])
    monkeypatch.setattr(drawing, "FIGURES", {"unpooling": drawing.unpooling})
    command.main()
    assert "unpooling.svg" in capsys.readouterr().out
    assert "where they were" in texts((tmp_path / "new/unpooling.svg").read_text())
