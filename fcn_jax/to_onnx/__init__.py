"""A network as an ONNX file, made from its layer list, not by tracing.

`graph` grows a graph, `layers` adds to it what nets are made of, `networks` walks
through an encoder and the net on it, `checking` compares the file with the net, and
`writing` writes it. All but this module import onnx, which is an extra.
"""

from fcn_jax import exported

OUTPUTS, image_dtype = exported.OUTPUTS, exported.image_dtype
PRECISIONS = ("float32", "float16")
LEAST_OPSET = (
    13  # The first in which every operator that is used has its form of today.
)
DEFAULT_OPSET = 17


def require_onnx() -> None:
    """Raise now, and not after the work, if the package onnx is missing.

    Raises:
        ImportError: If it is.
    """
    try:
        import onnx  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise ImportError(
            f"writing ONNX files needs onnx, which cannot be imported ({error}): pip "
            f"install onnx onnxruntime (the extra [onnx], and what checks the file)"
        ) from error
