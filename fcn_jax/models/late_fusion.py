"""Two FCNs that look at one scene, their scores averaged: RGB and HHA.

Each has all layers of its own, named as those of an FCN with the name of its stream
behind: conv1_1color ... score_frcolor, conv1_1hha ... score_frhha. The average is
upsampled once.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 5, NYUDv2 ("late fusion": predictions are
    summed); fcn.berkeleyvision.org, nyud-fcn32s-color-hha/trainval.prototxt, in which
    score_fused is the sum with coefficients 0.5 and 0.5.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.models import inputs
from fcn_jax.models.encoders import Features
from fcn_jax.models.fcn import FCN, FCN16s, FCN32s

Array = jax.Array


class LateFusion(FCN):
    """An FCN for each stream of three channels; what they score is averaged.

    Images hold the channels of the streams one after the other: [N, H, W, 6] is colours
    (as the weights want them), then HHA. Where skips are scored too, so are those of
    each stream, averaged likewise; of the 16s net the authors tell no more than that it
    is this one's upgrade.
    """

    encoder_fixed: ClassVar[Mapping[str, object]] = {
        **FCN.encoder_fixed,
        "channels": 3,
    }
    streams: ClassVar[tuple[str, ...]] = ("color", "hha")
    of_stream: ClassVar[type[FCN]] = FCN32s  # The net that looks at one of them.

    def setup(self) -> None:
        """Check the options; lay the variables of all trunks beside each other."""
        inputs.check_num_classes(self.num_classes)
        self.check_options()
        self.trunks = [self.encoder.clone(suffix=name) for name in self.streams]
        for trunk in self.trunks:
            nn.share_scope(self, trunk)

    @property
    def channels(self) -> int:
        """Channels of an image: those of all streams."""
        return self.encoder.channels * len(self.streams)

    @property
    def trunk(self) -> Callable[..., Features]:
        """Both encoders, each on its channels."""
        return self._features

    def alone(self) -> FCN:
        """The net of one stream, whose layers have the same names without its name."""
        return self.of_stream(
            encoder=self.encoder,
            num_classes=self.num_classes,
            skips=self.skips,
            upsampling=self.upsampling,
            skip_scales=self.skip_scales,
            parent=None,
        )

    def _features(
        self,
        images: Array,
        sizes: Array | None = None,
        *,
        train: bool = False,
        example_ids: Array | None = None,
    ) -> Features:
        """The maps of all streams, by layer and stream; their sizes, by layer."""
        count = self.encoder.channels
        found = Features({}, {}, {})
        for i, (stream, trunk) in enumerate(
            zip(self.streams, self.trunks, strict=True)
        ):
            seen = images[..., i * count : (i + 1) * count]
            own = trunk(seen, sizes, train=train, example_ids=example_ids)
            found.maps.update({f"{x}{stream}": own.maps[x] for x in own.maps})
            found.sizes.update(own.sizes)
        return found

    def _score(
        self, features: Features, layer: str, name: str, count: int, scale: float = 1.0
    ):
        scores = [
            super(LateFusion, self)._score(
                features._replace(maps={layer: features.maps[f"{layer}{stream}"]}),
                layer,
                f"{name}{stream}",
                count,
                scale,
            )
            for stream in self.streams
        ]
        return jnp.stack(scores).mean(axis=0)


class FCN32sLateFusion(LateFusion):
    """FCN-32s on RGB and on HHA, as nyud-fcn32s-color-hha."""


class FCN16sLateFusion(LateFusion):
    """FCN-16s on RGB and on HHA."""

    skip_strides: ClassVar[tuple[int, ...]] = (16,)

    skips: tuple[str, ...] = ("pool4",)
    of_stream: ClassVar[type[FCN]] = FCN16s
