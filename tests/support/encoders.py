"""A backbone that nobody published: what a newcomer writes to add one.

Beside a file like this it takes one line in `fcn_jax/models/encoders/__init__.py`.
"""

from fcn_jax.models.encoders import Encoder, Layer


class MadeUp(Encoder):
    """Every kind of layer once: strides, groups, dilation, LRN, branches."""

    top = "fc"
    pad: int = 40  # Around the image, so that upsampled scores cover it.

    def layers(self):
        return (
            Layer("conv1", "conv", 8, kernel_size=5, stride=2, pad=self.pad),
            Layer("pool1", "pool", kernel_size=3, stride=2),
            Layer("norm1", "lrn", kernel_size=5, alpha=0.1),
            Layer("conv2", "conv", 8, kernel_size=3, pad=1, groups=2),
            Layer("norm2", "lrn", kernel_size=3),
            Layer("branch_a", "conv", 4, inputs=("norm2",)),
            Layer(
                "branch_b",
                "conv",
                6,
                kernel_size=3,
                pad=2,
                dilation=2,
                inputs=("norm2",),
            ),
            Layer("pool_c", "pool", kernel_size=3, pad=1, inputs=("norm2",)),
            Layer("mixed", "concat", inputs=("branch_a", "branch_b", "pool_c")),
            Layer("pool2", "pool", kernel_size=2, stride=2),
            Layer("fc", "conv", 10, kernel_size=3, batch_norm="bnfc", dropout="drop"),
        )

    @classmethod
    def foreign_names(cls, convention, layers):
        del convention
        ours = ("conv1", "conv2", "branch_a", "branch_b", "fc", "bnfc")
        theirs = ("stem.0", "stem.1", "mix.a", "mix.b", "head.0", "head.1")
        return dict(zip(theirs, ours, strict=True)) if "stem.0" in layers else {}
