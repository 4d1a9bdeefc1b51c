"""What files call the layers of SegNet: Caffe's release, and forms for PyTorch.

Caffe names BatchNorm after its convolution, conv5_3_D_bn, and so do forms for PyTorch
that were written after it. Others have conv53d and bn53d. Each is told by its decoder;
the encoder alone may be that of another net.

References:
    alexgkendall/SegNet-Tutorial, Models/segnet_train.prototxt;
    nshaud/DeepNetsForEO, SegNet_PyTorch_v2.ipynb;
    delta-onera/segnet_pytorch, segnet.py.
"""

import re
from collections.abc import Collection

_CAFFE = re.compile(r"^conv(\d_\d(?:_D)?)_bn$")
_PYTORCH = re.compile(r"^(conv|bn)(\d)(\d)(d?)$")


def is_decoder(layer: str) -> bool:
    """Whether a layer of that name is one of a decoder, in PyTorch's form.

    Args:
        layer: Its name.
    """
    match = _PYTORCH.match(layer)
    return bool(match and match[4])


def table(layers: Collection[str]) -> dict[str, str]:
    """From the names of a file to ours.

    Args:
        layers: The names of layers in the file.

    Returns:
        Those that differ, if the file holds a SegNet; else none.
    """
    if "conv5_3_D" in layers:
        matches = ((layer, _CAFFE.match(layer)) for layer in layers)
        return {layer: f"bn{match[1]}" for layer, match in matches if match}
    if "conv53d" in layers:
        matches = ((layer, _PYTORCH.match(layer)) for layer in layers)
        return {
            layer: f"{match[1]}{match[2]}_{match[3]}{'_D' if match[4] else ''}"
            for layer, match in matches
            if match
        }
    return {}
