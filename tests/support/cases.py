"""The table of all models: every entry goes through the same contracts."""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

import fcn_jax.models
from fcn_jax.models import inputs
from fcn_jax.models.encoders import vgg

# Nets with a decoder, all of whose layers but the last have BatchNorm.
MIRRORED = ("deconvnet", "segnet")


class Case(NamedTuple):
    """A model as the contract tests build it: small, with every layer that it has."""

    model: str  # Key of fcn_jax.models.MODELS.
    options: dict[str, Any]

    def __str__(self):
        options = [v if isinstance(v, str) else k for k, v in self.options.items()]
        return "-".join([self.model, *options])

    @property
    def batch_norm(self):
        return self.model in MIRRORED or "batch_norm" in self.options

    @property
    def learned(self):
        """Options that make a parameter of all that may be one."""
        free = self.model.startswith("fcn") and "upsampling" not in self.options
        return {"upsampling": "learned"} if free else {}

    @property
    def score(self):
        """The layer that scores what the encoder found, or the decoder."""
        own = {"deconvnet": "seg-score", "segnet": "conv1_1_D"}
        return (own | dict.fromkeys(DEEPLAB, "fc8_score")).get(self.model, "score_fr")

    def create(self, **options):
        small = {"num_classes": 3, "width": 1 / 32, "fc_features": 256}
        if self.model == "segnet":
            del small["fc_features"]
        return fcn_jax.models.create(self.model, **small | self.options | options)


# Every net with both paddings; plain or with BatchNorm, FCN-8s with both.
CASES = (
    *(
        Case(model, {"padding": padding} | batch_norm if padding else batch_norm)
        for model, padding, batch_norm in (
            ("fcn32s", "caffe", {"batch_norm": True}),
            ("fcn32s", "same", {}),
            ("fcn16s", "caffe", {}),
            ("fcn16s", "same", {"batch_norm": True}),
            ("fcn8s", "caffe", {}),
            ("fcn8s", "caffe", {"batch_norm": True}),
            ("fcn8s", "same", {}),
            ("fcn8s", "same", {"batch_norm": True}),
            ("fcn8s_atonce", "caffe", {}),
            ("fcn8s_atonce", "same", {"batch_norm": True}),
            ("deconvnet", "same", {}),
            ("deeplab", "", {"batch_norm": True}),
            ("deeplab_msc_largefov", "", {}),
        )
    ),
    # Ways of upsampling, and of doing without; the net that has no option of padding.
    Case("fcn16s", {"padding": "caffe", "upsampling": "nearest"}),
    Case("fcn8s", {"padding": "same", "upsampling": "bilinear"}),
    Case("fcn8s", {"padding": "same", "output_stride": 8}),
    Case("segnet", {}),
)
DEEPLAB = (
    *("deeplab", "deeplab_7x7", "deeplab_largefov"),
    *("deeplab_msc", "deeplab_msc_largefov"),
)

# Models whose variables are recorded in tests/golden/parameters_<name>.txt.
PARAMETER_TABLES = {
    f"{model}{suffix}": (model, options)
    for model in ("fcn32s", "fcn16s", "fcn8s", "fcn8s_atonce")
    for suffix, options in {
        "": {},
        "_learned": {"upsampling": "learned"},
        "_same_bn": {"padding": "same", "batch_norm": True},
    }.items()
} | {
    name: (name, {})
    for name in (
        *("deconvnet", "segnet", "fcn_alexnet", "fcn_googlenet", "hypercolumn"),
        *("cfm", "cfm_design_b", "zoomout"),
        *DEEPLAB,
    )
}


def quick_jit(fn):
    """`jax.jit` for what is run once: compiled in half the time, unoptimised."""
    return jax.jit(fn, compiler_options={"xla_backend_optimization_level": 0})


def variable_shapes(model):
    """Shapes and dtypes of the variables; nothing is computed."""
    return _variable_shapes(model, vgg.STAGES)  # A net does not know how deep it is.


@functools.cache
def _variable_shapes(model, stages):
    del stages
    image = inputs.example_image(model)
    return jax.eval_shape(model.init, jax.random.key(0), image)


def random_variables(model, seed=0):
    """Variables of which none is zero, so that every layer matters.

    Kernels keep the size of activations (He et al.); biases and statistics are those
    of a net that has been trained. NumPy, because nothing then needs compiling.
    """
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        kind = path[-1].key
        if kind == "kernel":
            fan_in = np.prod(leaf.shape[:-1])
            value = rng.normal(size=leaf.shape) * np.sqrt(2 / fan_in)
        elif kind == "var":
            value = rng.uniform(0.5, 2, leaf.shape)
        else:
            value = 0.3 * rng.normal(size=leaf.shape) + (kind == "scale")
        return jax.numpy.asarray(value, leaf.dtype)

    return jax.tree_util.tree_map_with_path(draw, variable_shapes(model))


def random_images(shape, seed=0, dtype="float32"):
    """Images of unit size, [N, H, W, 3]: what the layers make of them stays so."""
    return jax.numpy.asarray(
        np.random.default_rng(seed).normal(size=(*shape, 3)), dtype
    )


def parameter_table(model):
    """A line for every variable: name, shape, dtype; nothing is computed."""
    lines = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(variable_shapes(model)):
        name = "/".join(part.key for part in path)
        lines.append(f"{name} {' '.join(map(str, leaf.shape))} {leaf.dtype}\n")
    return "".join(sorted(lines))
