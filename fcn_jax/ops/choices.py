"""Ways to compute the same: which is faster, a device shows, and no text.

Each has a default; `python -m benchmarks.candidates` times a training step by each of
them, side by side on one device. On a CPU they change no value, but for rounding.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Generator


@dataclasses.dataclass(frozen=True)
class Choices:
    """How an accelerator computes what can be computed in several ways.

    Attributes:
        image_channels: That the first convolution is given at least; those that an
            image has not are zeros. Tensor cores take eight values at a time.
        narrow_scores: Whether a net of bfloat16 takes the products of its scores in
            bfloat16 and adds them in float32, instead of both in float32.
        fused_upsampling: Whether cross-entropy takes the scores of an FCN before their
            last upsampling, and makes the logits of a pixel only where it needs them.
        ordered_gradients: Whether gradients of kernels are brought into the order of
            the kernels before the optimiser sees them.
        relu_by_result: Whether the gradient of a ReLU behind a convolution is told from
            what it gave, so that cuDNN adds the bias and cuts off in one pass.
        bias_by_product: Whether the gradient of a bias is a product with ones.
    """

    image_channels: int = 0
    narrow_scores: bool = True
    ordered_gradients: bool = True
    fused_upsampling: bool = True
    relu_by_result: bool = True
    bias_by_product: bool = False


_DEFAULT = Choices()
_CHOICES = contextvars.ContextVar("choices", default=_DEFAULT)


def current() -> Choices:
    """The choices for what is traced now."""
    return _CHOICES.get()


@contextlib.contextmanager
def using(choices: Choices) -> Generator[None, None, None]:
    """Within it, what is traced is computed by these choices.

    Args:
        choices: For accelerators.
    """
    token = _CHOICES.set(choices)
    try:
        yield
    finally:
        _CHOICES.reset(token)
