"""The CRF as a layer: its kernel weights and compatibility learned with the network.

References:
    Zheng et al. 2015, "Conditional random fields as recurrent neural networks",
    arXiv:1502.03240.
"""

from collections.abc import Mapping
from typing import TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.crf import dense
from fcn_jax.models.network import Network
from fcn_jax.preprocessing import CAFFE, Preprocessing, colours, deprocess

Array = jax.Array


class CRF(nn.Module):
    """Mean field with learned weights: a weight a class and kernel, and a cost a pair.

    Parameters: `smooth_weight` and `bilateral_weight`, [C], start at the numbers given
    here; `compatibility`, [C, C], starts at Potts. The bandwidths stay as they are.
    All else is as in `mean_field`.
    """

    num_classes: int
    smooth_xy: float = 3.0
    smooth_weight: float = 3.0
    bilateral_xy: float = 160.0
    bilateral_rgb: float = 3.0
    bilateral_weight: float = 5.0
    iterations: int = 5  # In training, as published; 10 when the net is used.
    normalization: str = "after"
    method: str = "lattice"
    capacity: int | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, logits: Array, image: Array, sizes: Array | None = None
    ) -> Array:
        """Refine class scores.

        Args:
            logits: [H, W, C] or [N, H, W, C] floating.
            image: RGB, [H, W, 3] or [N, H, W, 3] uint8.
            sizes: True (height, width) of every image of a batch, [N, 2] integer.

        Returns:
            Scores of the shape and dtype of `logits`; their softmax are the
            probabilities. NaN where `mean_field` says so.

        Raises:
            TypeError: As `mean_field`.
            ValueError: As `mean_field`; or if the logits have other classes.
        """
        count = self.num_classes
        if logits.shape[-1] != count:
            raise ValueError(
                f"CRF: logits of {logits.shape[-1]} classes; expected num_classes="
                f"{count}."
            )

        def weight(name: str, start: float):
            constant = nn.initializers.constant(start)
            return self.param(name, constant, (count,), self.param_dtype)

        def potts(_: Array, shape: tuple[int, int], dtype: jnp.dtype):
            return 1 - jnp.eye(*shape, dtype=dtype)

        return dense.mean_field(
            -jax.nn.log_softmax(logits),
            image,
            smooth_xy=self.smooth_xy,
            smooth_weight=weight("smooth_weight", self.smooth_weight),
            bilateral_xy=self.bilateral_xy,
            bilateral_rgb=self.bilateral_rgb,
            bilateral_weight=weight("bilateral_weight", self.bilateral_weight),
            iterations=self.iterations,
            normalization=self.normalization,
            compatibility=self.param(
                "compatibility", potts, (count, count), self.param_dtype
            ),
            method=self.method,
            sizes=sizes,
            capacity=self.capacity,
            logits=True,
        )


class WithCRF(nn.Module):
    """A network of `fcn_jax.models` with a CRF behind it, trained end to end.

    Its variables are those of the network by their own names, and `crf`: it starts
    from a run of the network alone, name by name.
    """

    network: Network
    crf: CRF
    preprocessing: Preprocessing = CAFFE  # What the images have been through.

    @property
    def num_classes(self) -> int | Mapping[str, int]:
        """Classes that are scored."""
        return self.network.num_classes

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.network.channels

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return self.network.smallest_image

    @property
    def extra_inputs(self) -> tuple[str, ...]:
        """Entries of a batch that the network takes beside images and sizes."""
        return self.network.extra_inputs

    def setup(self):
        """Lay the network's variables beside those of the CRF."""
        nn.share_scope(self, self.network)

    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        train: bool = False,
        example_ids: Array | None = None,
        **extra: Array,
    ) -> Array:
        """Score every pixel; arguments, result and errors are the network's.

        Args:
            images: Preprocessed, [N, H, W, 3] floating point.
            sizes: True (height, width) of every example, [N, 2] integer, or None.
            train: Whether the network is trained.
            example_ids: That choose the dropout of every example, [N] integer.
            **extra: Of `extra_inputs`.
        """
        logits = self.network(
            images, sizes, train=train, example_ids=example_ids, **extra
        )
        photos = colours(deprocess(images, self.preprocessing))
        return self.crf(logits, photos, sizes)


Model: TypeAlias = Network | WithCRF  # What is trained, loaded and asked.
