"""An ONNX file against the network that it was made from, at three sizes."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import VariableDict

from fcn_jax import to_onnx
from fcn_jax.models import layers
from fcn_jax.models.network import Network
from fcn_jax.preprocessing import Preprocessing, preprocess

if TYPE_CHECKING:
    import onnxruntime

# Of the largest of our own numbers. float16 keeps 11 bits, and rounds at every layer.
TOLERANCE = {"float32": 1e-4, "float16": 1e-2}
# One image and two, odd sides and even, and the least: added to the least side.
_SHAPES = ((1, 0, 0), (2, 32, 65), (1, 75, 30))

Found = dict[str, np.ndarray]  # By the name of an output.
Captured = Mapping[str, tuple[jax.Array, ...]]  # What a module gave, by method.
Switches = Mapping[str, np.ndarray]  # By pooling; {}: those that our network finds.


class Check(NamedTuple):
    """What came of one size.

    Attributes:
        shape: Images, height, width.
        difference: The largest from our own numbers, of the largest of these. Of
            labels: how much lower, of the largest, the score of another label than ours
            is.
    """

    shape: tuple[int, int, int]
    difference: float


class Reference(NamedTuple):
    """What a file is compared with.

    Attributes:
        net: The network that it was made from.
        variables: What `net.apply` takes.
        preprocessing: What it was trained with.
        output: What the file gives.
        precision: In which it computes.
    """

    net: Network
    variables: VariableDict
    preprocessing: Preprocessing
    output: str
    precision: str


def version() -> str:
    """The version of onnxruntime; "" where it is not there."""
    try:
        import onnxruntime
    except ImportError:
        return ""
    return str(onnxruntime.__version__)


def compare(
    file: str,
    outputs: Mapping[str, str],
    masks: Mapping[str, Sequence[str]],
    probe: Callable[[], bytes],
    reference: Reference,
) -> list[Check]:
    """Compare a file with its network.

    Rounding parts near-ties of poolings one way here and another way there. So where
    poolings are undone our network undoes them by the maxima that the file has found.

    Args:
        file: Path.
        outputs: Their names, by head.
        masks: Names of the masks of poolings that are undone, by pooling.
        probe: Makes the content of the file, with the masks among the outputs.
        reference: What it is compared with.

    Returns:
        A check for each size.

    Raises:
        ValueError: If it gives something else, or onnxruntime does not take it.
    """
    images = _examples(reference.net)
    found = _run(file, images, list(outputs.values()))
    switches: list[Switches] = [{} for _ in images]
    if masks:
        names = [name for of_pool in masks.values() for name in of_pool]
        switches = [_switches(masks, each) for each in _run(probe(), images, names)]
    checks: list[Check] = []
    for given, theirs, undone_by in zip(images, found, switches, strict=True):
        ours = _logits(reference, given, undone_by)
        far = max(
            _difference(ours[head], theirs[name], reference.output)
            for head, name in outputs.items()
        )
        checks.append(Check(given.shape[:3], far))
    _refuse(checks, reference)
    return checks


def _refuse(checks: Sequence[Check], reference: Reference) -> None:
    """Raise if a difference is too large.

    Raises:
        ValueError: If one is.
    """
    worst = max(checks, key=lambda each: np.nan_to_num(each.difference, nan=np.inf))
    tolerance = TOLERANCE[reference.precision]
    if worst.difference <= tolerance:  # Not of NaN.
        return
    todo = (
        "float16 keeps three digits of a number: export with --precision=float32."
        if reference.precision == "float16"
        else "this is a mistake of the export or of onnxruntime: report it, with both "
        "versions."
    )
    count, height, width = worst.shape
    raise ValueError(
        f"for {count} x {height}x{width} pixels onnxruntime {version()} gives "
        f"{reference.output} that are {worst.difference:.2g} of the largest away from "
        f"those of the network, more than {tolerance:g}; nothing was written. {todo}"
    )


def session(file: str | bytes) -> "onnxruntime.InferenceSession":
    """A file, or its content, as onnxruntime runs it on the CPU.

    Args:
        file: Path or content.

    Raises:
        ValueError: If onnxruntime does not take it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors.
    try:
        return onnxruntime.InferenceSession(
            file, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # Of its own, and they have no base.
        raise ValueError(
            f"onnxruntime {version()} does not take the file "
            f"({str(error).splitlines()[0]}); nothing was written. Choose a lower "
            f"--opset, or upgrade onnxruntime."
        ) from error


def _run(
    file: str | bytes, images: Sequence[np.ndarray], names: Sequence[str]
) -> list[Found]:
    """The outputs of these names, for each of the images."""
    loaded, found = session(file), []
    for each in images:
        outputs = loaded.run(list(names), {"images": each})
        found.append(dict(zip(names, map(np.asarray, outputs), strict=True)))
    return found


def _examples(net: Network) -> list[np.ndarray]:
    """Images of noise, [N, H, W, C], of the sizes that are checked."""
    rng, least, found = np.random.default_rng(0), net.smallest_image, []
    dtype = to_onnx.image_dtype(net.channels)
    for count, height, width in _SHAPES:
        shape = (count, least + height, least + width, net.channels)
        found.append(rng.integers(0, 256, shape, np.uint8).astype(dtype))
    return found


def _logits(
    reference: Reference, images: np.ndarray, switches: Switches
) -> dict[str, np.ndarray]:
    """Our own logits, by head, in float32 whatever the network is trained in.

    Raises:
        ValueError: If the file computes in float16, and maps have no room in it.
    """
    net = reference.net.with_encoder(dtype=jnp.float32)
    given = {"switches": switches} if switches else {}
    half = reference.precision == "float16"
    normalized = {x.name for x in net.encoder.layers() if x.batch_norm}

    def is_narrow(module: nn.Module, method: str):
        """Whether the file has in float16 what a module gives, as it gives it."""
        alone = isinstance(module, layers.Conv) and module.name not in normalized
        narrow = alone and not isinstance(module, layers.Score)
        last = narrow or isinstance(module, layers.BatchNorm)
        return method == "__call__" and last

    def score(variables: VariableDict, images: jax.Array, given: dict):
        found, state = net.apply(
            variables,
            preprocess(images, reference.preprocessing),
            train=False,
            capture_intermediates=is_narrow if half else False,
            mutable=["intermediates"],
            **given,
        )
        return found, _largest_maps(dict(state["intermediates"] or {})) if half else {}

    # Run once, so compiled in a hurry; on GPUs float32 would else mean TF32.
    quickly = jax.jit(score, compiler_options={"xla_backend_optimization_level": 0})
    with jax.default_matmul_precision("highest"):
        found, largest = quickly(reference.variables, jnp.asarray(images), given)
    _refuse_too_large(largest)
    several = isinstance(net.num_classes, Mapping)
    by_head = found if several else {"": found}
    return {head: np.asarray(each) for head, each in by_head.items()}


def _largest_maps(captured: Mapping[str, object]) -> dict[str, jax.Array]:
    """The largest number that each module gave; others are what DeconvNet keeps."""
    by_module = {
        name: cast("Captured", each)
        for name, each in captured.items()
        if isinstance(each, Mapping)
    }
    return {
        name: jnp.abs(each["__call__"][0]).max() for name, each in by_module.items()
    }


def _refuse_too_large(largest: Mapping[str, jax.Array]) -> None:
    """Raise if a map has no room in float16.

    onnxruntime would not tell: on a CPU it computes most of such a file in float32.

    Raises:
        ValueError: If one has none.
    """
    most = float(np.finfo(np.float16).max)
    for name, found in largest.items():
        if not float(found) <= most:
            raise ValueError(
                f"the maps of {name} reach {float(found):.2g}; float16 holds numbers "
                f"up to {most:g}: export with --precision=float32. Nothing was written."
            )


def _switches(masks: Mapping[str, Sequence[str]], found: Found) -> Switches:
    """Our switches, uint8 [N, h, w, C], from masks, bool [N, C, h, w]."""
    return {
        pool: np.select(
            [np.moveaxis(found[name], 1, -1) for name in names],
            [np.uint8(i) for i in range(len(names))],
            np.uint8(len(names)),
        )
        for pool, names in masks.items()
    }


def _difference(ours: np.ndarray, theirs: np.ndarray, output: str) -> float:
    """See `Check`; `ours` are logits [N, H, W, C]."""
    if output == "labels":
        theirs = theirs[..., None]
        if theirs.min() < 0 or theirs.max() >= ours.shape[-1]:
            return float("inf")
        score = np.take_along_axis(ours, theirs, -1)
        far = (ours.max(-1, keepdims=True) - score).max()
    else:
        if output == "probabilities":
            ours = np.asarray(jax.nn.softmax(ours))
        far = np.abs(ours - theirs).max()
    largest = float(np.abs(ours).max())
    return float(far) / largest if largest else float(far)
