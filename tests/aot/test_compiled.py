"""What was won in the steps as XLA compiles them for an H100; no device is needed.

Marked `aot` (make aot): they need an environment with the CUDA plugin.
"""

import importlib.util
import math

import jax
import pytest

pytestmark = pytest.mark.aot
if importlib.util.find_spec("jax_cuda13_plugin") is None:
    pytest.skip("needs the CUDA plugin (make aot)", allow_module_level=True)

from benchmarks.aot import chips, text  # noqa: E402
from benchmarks.common import steps  # noqa: E402
from fcn_jax.config.base import base_config  # noqa: E402
from fcn_jax.runs import compilation  # noqa: E402

# fc6's is 7x7; what is larger is a map in the place of a kernel.
LARGEST_WINDOW = 7
_CLASSES = 21  # Of all nets here, at most.


@pytest.fixture(scope="module")
def h100():
    return chips.devices("cuda", 1)


@pytest.fixture(
    scope="module", params=[(n, t) for n in steps.CASES for t in steps.TASKS], ids=str
)
def compiled_for(request):
    return request.param


@pytest.fixture(scope="module")
def case(compiled_for):
    return steps.CASES[compiled_for[0]]


@pytest.fixture(scope="module")
def program(compiled_for, h100):
    net, task = compiled_for
    with jax.numpy_dtype_promotion("standard"):  # Optax's AdamW relies on it.
        compiled = steps.lowered(steps.CASES[net], task, h100).compile()
    return text.operations(compiled.as_text())


def test_no_window_is_larger_than_that_of_fc6(program):
    windows = [each.window for each in text.convolutions(program)]
    assert max(map(max, windows)) <= LARGEST_WINDOW


def test_no_float32_kernel_is_transposed_or_copied(program):
    assert text.kernel_transpositions(program, least=4 << 20) == []


def test_no_map_of_features_is_written_in_float32(program, case):
    """Scores alone are: their products take the features as they are."""
    wide = [
        (each.layer, array.shape)
        for each in program
        if each.computation == "ENTRY" and each.bytes
        for array in each.arrays
        if array.dtype == "f32" and len(array.shape) == 4
        if array.shape[0] == case.batch and array.shape[-1] > _CLASSES
        if array.shape[1] > 1  # Else it is of images or labels, seen another way.
        if array.shape[-1] != case.size[1]  # Else it has one value a pixel.
    ]
    assert wide == []


def test_convolutions_are_of_bfloat16(program):
    """But those that score: sums go on in float32."""
    wide = [c for c in text.convolutions(program) if c.output.dtype != "bf16"]
    assert all("score" in each.layer for each in wide)


@pytest.mark.parametrize("net", ("fcn8s", "deconvnet"))
def test_a_step_of_one_order_is_known_to_the_compiler(net, h100, tmp_path):
    """And no scatter, which adds in any order, is left in it."""
    config = base_config()
    config.deterministic = True
    options = compilation.xla_options(config, h100, tmp_path, update=True)
    compilation.make_room(options)
    with jax.numpy_dtype_promotion("standard"):
        lowered = steps.lowered(steps.tiny(steps.CASES[net]), "training", h100)
    found = text.operations(lowered.compile(options).as_text())
    assert not [each.name for each in found if each.opcode == "scatter"]


@pytest.fixture
def fcn_in_training(compiled_for):
    net, task = compiled_for
    if net == "deconvnet" or task != "training":
        pytest.skip("is of an FCN that learns")


@pytest.mark.usefixtures("fcn_in_training")
def test_no_map_of_all_logits_is_written(program, case):
    """They follow from scores; the loss makes them where it needs them."""
    pixels = math.prod((case.batch, *case.size))
    wide = [
        (each.layer, array.shape)
        for each in program
        if each.computation == "ENTRY" and each.bytes
        for array in each.arrays
        if array.dtype == "f32" and array.shape and 3 < array.shape[-1] <= _CLASSES
        if math.prod(array.shape[:-1]) >= pixels
    ]
    assert wide == []


@pytest.mark.usefixtures("fcn_in_training")
def test_cudnn_adds_biases_and_cuts_off_in_one_pass(program, compiled_for):
    if compiled_for[0] == "camvid":
        pytest.skip("has BatchNorm between them")
    fused = [each for each in program if "convBiasActivation" in each.text]
    assert len(fused) == 15  # conv1_1 ... fc7
    assert all('"activation_mode":"kRelu"' in each.text for each in fused)
