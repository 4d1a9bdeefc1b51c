"""Runs whose nets are shallow: tracing and compiling them takes half the time.

For tests of what a run does, whatever its net: VGG-16 has one convolution a stage, and
so has what mirrors it, by the names of the first; and the curves of a run, which
take a second to draw, are a picture of one pixel. What nets compute, and what curves
show, is tested elsewhere.
"""

import contextlib

import pytest
from PIL import Image

from fcn_jax.models import deconvnet, segnet
from fcn_jax.models.encoders import deeplab, vgg
from fcn_jax.storage import files
from fcn_jax.viz import plots

PLOT_CURVES = plots.plot_curves


def no_curves(entries, path):
    pixel = Image.new("L", (1, 1))
    files.write_whole(path, lambda part: pixel.save(part, format="png"))


@contextlib.contextmanager
def shallow():
    """Shallow nets and no curves, in this process, as long as it lasts."""
    one = tuple(channels[-1:] for channels in vgg.STAGES)
    mirrored = {stage: channels[-1:] for stage, channels in deconvnet.STAGES.items()}
    # The scores are SegNet's last convolution.
    of_segnet = {stage: x[-1:] for stage, x in segnet.STAGES.items()} | {1: ()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "STAGES", one)
        patch.setattr(deeplab, "STAGES", one)
        patch.setattr(deconvnet, "STAGES", mirrored)
        patch.setattr(segnet, "STAGES", of_segnet)
        patch.setattr(plots, "plot_curves", no_curves)
        yield
