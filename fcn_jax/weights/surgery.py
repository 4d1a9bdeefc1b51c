"""Making the arrays of a file those of a net.

Everything here is a pure function of NumPy arrays.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 3.1 and 4.2;
    fcn.berkeleyvision.org, surgery.py, and the nets nyud-* and voc-fcn8s-atonce.
"""

import ml_dtypes
import numpy as np

from fcn_jax.ops import bilinear
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.weights.names import HWIO, IOHW, Entry

# The layers that see the image, of VGG-16, AlexNet and GoogLeNet.
_FIRST = ("conv1_1", "conv1", "conv1_7x7_s2")


def to_shape(entry: Entry, shape: tuple[int, ...]) -> np.ndarray | None:
    """Bring an array of a file into the shape that the net has for it.

    Kernels get the axes [rows, columns, in, out]. A fully connected layer becomes the
    convolution with a window of its input's size: its input was flattened channel by
    channel in Caffe and PyTorch, pixel by pixel in TensorFlow and Keras. A net with
    more input channels than the file (RGB-D) gets the mean of its filters for the
    rest.

    Args:
        entry: The array.
        shape: Of the net's parameter.

    Returns:
        A view or copy of that shape, in the dtype of the file; None if it does not fit.
    """
    array = entry.array
    if len(shape) == 1:
        return array.reshape(shape) if _is_vector(array, shape[0]) else None
    if len(shape) != 4:
        return None
    rows, columns, in_, out = shape
    if entry.layout == HWIO:
        if array.ndim == 2 and array.shape == (rows * columns * in_, out):
            array = array.reshape(shape)
    else:
        if array.ndim == 4 and array.shape[:2] == (1, 1) != (out, in_):
            array = array[0, 0]  # An InnerProduct of V1: [1, 1, out, in].
        if array.ndim == 2 and array.shape == (out, in_ * rows * columns):
            array = array.reshape(out, in_, rows, columns)
        if array.ndim != 4:
            return None
        array = array.transpose((2, 3, 0, 1) if entry.layout == IOHW else (2, 3, 1, 0))
    if array.shape == shape:
        return array
    first = entry.target.split("/")[1] in _FIRST
    if first and array.ndim == 4 and array.shape[2] < in_:
        array = add_input_channels(array, in_)
        return array if array.shape == shape else None
    return None


def as_convolution(entry: Entry, side: int) -> np.ndarray | None:
    """A kernel in the shape that the file's own net has for it.

    Args:
        entry: The array.
        side: Of the window, if it is a fully connected layer.

    Returns:
        [rows, columns, in, out], a view; None if it is no kernel.
    """
    shape = entry.array.shape
    if len(shape) == 4 and shape[:2] == (1, 1) and entry.layout != HWIO:
        shape = shape[2:]  # An InnerProduct of V1: [1, 1, out, in].
    if len(shape) == 2:
        flat, out = shape if entry.layout == HWIO else shape[::-1]
        if flat % (side * side):
            return None
        return to_shape(entry, (side, side, flat // (side * side), out))
    if len(shape) != 4:
        return None
    axes = (0, 1, 2, 3) if entry.layout == HWIO else (2, 3, 1, 0)
    return to_shape(entry, tuple(shape[axis] for axis in axes))


def _is_vector(array: np.ndarray, size: int):
    return array.size == size and max(array.shape, default=1) == size


def add_input_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Filters for more input channels: the mean of those that there are.

    As nyud-fcn32s-color-d starts its conv1_1_bgrd, whose fourth channel is depth.

    Args:
        kernel: [rows, columns, in, out].
        channels: Of the new input, more than `in`.

    Returns:
        [rows, columns, channels, out]; the first `in` as they were.
    """
    mean = kernel.mean(axis=2, keepdims=True)
    return np.concatenate(
        [kernel, np.repeat(mean, channels - kernel.shape[2], axis=2)], axis=2
    )


def fold_input(
    kernel: np.ndarray, bias: np.ndarray, source: Preprocessing, target: Preprocessing
) -> tuple[np.ndarray, np.ndarray]:
    """The first layer for images preprocessed another way.

    Exact but within reach of the zero padding: zero is another colour there.

    Args:
        kernel: [rows, columns, 3 or more, out], for images as `source` makes them;
            channels beyond the third stay.
        bias: [out].
        source: What the weights were trained with.
        target: What the net will be given.

    Returns:
        Kernel and bias that give images made by `target` the same activations,
        float64.
    """
    kernel, bias = np.array(kernel, np.float64), np.array(bias, np.float64)
    colours = kernel[:, :, :3]
    if source.channels[:3] != target.channels[:3]:
        colours = colours[:, :, ::-1]
    mean, std = _in_order(source, target.channels)
    their_mean, their_std = np.array(target.mean[:3]), np.array(target.std[:3])
    shift = np.einsum("hwio,i->o", colours, (their_mean - mean) / std)
    scaled = colours * (their_std / std)[:, None]
    return np.concatenate([scaled, kernel[:, :, 3:]], axis=2), bias + shift


def _in_order(preprocessing: Preprocessing, channels: str):
    step = 1 if preprocessing.channels[:3] == channels[:3] else -1
    return np.array(preprocessing.mean[:3][::step]), np.array(
        preprocessing.std[:3][::step]
    )


def fold_scale(kernel: np.ndarray, theirs: np.ndarray, ours: float) -> np.ndarray:
    """A score kernel for a skip that is scaled by `ours` instead of `theirs`.

    Args:
        kernel: [1, 1, in, out].
        theirs: The factor of every input channel in the file, [in] or one number.
        ours: The net's factor.

    Returns:
        [1, 1, in, out] float64; the bias stays as it is.
    """
    factor = np.asarray(theirs, np.float64).reshape(-1)[:, None] / ours
    return np.asarray(kernel, np.float64) * factor


def decoder_from_scores(
    score: np.ndarray, shape: tuple[int, ...], channels: int, whole: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Let DeconvNet start with the scores of an FCN, one after the other.

    Its decoder, where it starts as an upsampling, hands channel o on as o mod
    `channels`. Every score goes through it twice, as it is and negated, for ReLU lets
    only the upper half of either pass; the last layer takes their difference.

    Args:
        score: score_fr of the FCN, [1, 1, in, C]; 2 C <= channels.
        shape: Of the kernel of fc6-deconv, [k, k, in, out], out a multiple of
            `channels`.
        channels: Of the last stage of the decoder.
        whole: Whether a cell is to fill the window of fc6-deconv, or one cell.

    Returns:
        The kernels of fc6-deconv, of `shape`, and of seg-score, [1, 1, channels, C].
    """
    score = score[0, 0]
    classes = score.shape[1]
    signed = np.concatenate([score, -score], axis=1)
    deconv = np.zeros(shape, score.dtype)
    taps = slice(None) if whole else slice(shape[0] // 2, shape[0] // 2 + 1)
    deconv[taps, taps] = signed[:, np.arange(shape[3]) % channels % (2 * classes)]
    last = np.zeros((channels, classes), score.dtype)
    last[:classes], last[classes : 2 * classes] = np.eye(classes), -np.eye(classes)
    return deconv, last[None, None]


def decimate(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """A kernel or bias at some of its taps and channels, at equal steps.

    Taps are taken from the first to the last, 0, 2, 4 and 6 of 7 or 0, 3 and 6, so that
    the window stays as wide; of channels the first of every so many. Which DeepLab's
    released initial nets took of 4096 channels is not said; every fourth is a guess,
    and any choice that fc6 and fc7 share is a subnet of VGG-16's.

    Args:
        array: [rows, columns, in, out] or [out].
        shape: Of the result, with as many axes.

    Returns:
        A view of that shape; None if there are no equal steps to it.

    References:
        Chen et al. 2015, arXiv:1412.7062, sec. 3.2 ("simple decimation").
    """
    if array.ndim != len(shape) or min(*array.shape, *shape) < 1:
        return None
    steps = []
    for axis, (theirs, ours) in enumerate(zip(array.shape, shape, strict=True)):
        taps = array.ndim == 4 and axis < 2
        # Of a single tap there is no step; a window that shrinks to one is no window.
        spans = (theirs - 1, ours - 1) if taps and ours > 1 else (theirs, ours)
        if spans[0] % spans[1] or (taps and ours == 1 != theirs):
            return None
        steps.append(slice(None, None, spans[0] // spans[1]))
    return array[tuple(steps)]


def is_bilinear(kernel: np.ndarray) -> bool:
    """Whether a kernel [k, k, C, C] is the fixed one, to the precision of its dtype.

    Args:
        kernel: As stored; what is finer than float16 need not be better than that.
    """
    size, _, channels, out = kernel.shape
    if size != kernel.shape[1] or channels != out:
        return False
    expected = bilinear.bilinear_kernel(size, channels)
    # bfloat16 keeps 8 bits: numbers below 1 are up to 2^-9 away.
    atol = 2**-9 if kernel.dtype == ml_dtypes.bfloat16 else 1e-3
    return bool(np.allclose(kernel.astype(np.float32), expected, rtol=0, atol=atol))
