"""An ONNX graph while it grows: nodes, constants, and arithmetic on sizes of maps."""

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import helper

_LARGEST_NAMELESS = 16  # Values of constants that are kept once, whoever asks for them.


class Graph:
    """Nodes and constants, each under a name that nothing else in it has.

    Maps are [N, C, H, W], as ONNX has them.

    Args:
        precision: "float32" or "float16", of weights and maps.

    Attributes:
        model: The file that it is in, with nothing in it yet but the graph.
        proto: What has been put in.
        dtype: Of weights and maps.
        masks: For each pooling that is undone, by name, where in its windows the maxima
            were: bool [N, C, h, w] for all positions but the last.
    """

    def __init__(self, precision: str):
        self.model = onnx.ModelProto()  # From the start: weights are not copied so.
        self.proto = self.model.graph
        self.dtype = np.dtype(precision)
        self.masks: dict[str, tuple[str, ...]] = {}
        self._counts: dict[str, int] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(
        self, kind: str, *inputs: str, name: str = "", **attributes: object
    ) -> str:
        """Put in an operator with one result.

        Args:
            kind: The operator, "Conv".
            *inputs: Names of its inputs.
            name: Of the result; "": one after the operator.
            **attributes: Of the operator.

        Returns:
            The name of the result.
        """
        return self.nodes(kind, *inputs, names=(name,), **attributes)[0]

    def nodes(
        self, kind: str, *inputs: str, names: Iterable[str], **attributes: object
    ) -> list[str]:
        """Put in an operator with several results.

        Args:
            kind: The operator, "Split".
            *inputs: Names of its inputs.
            names: Of the results; "": one after the operator.
            **attributes: Of the operator.

        Returns:
            The names of the results.
        """
        results = [self._unused(name or kind) for name in names]
        node = self.proto.node.add(op_type=kind, name=results[0])
        node.input.extend(inputs)
        node.output.extend(results)
        for key, value in attributes.items():
            node.attribute.append(helper.make_attribute(key, value))
        return results

    def constant(self, value: np.ndarray, name: str = "") -> str:
        """Put in a constant; small ones without a name are put in once.

        Args:
            value: It.
            name: Its name; "": one after its dtype.

        Returns:
            Its name.
        """
        key = (value.dtype.str, value.shape, b"")
        if not name and value.size <= _LARGEST_NAMELESS:
            key = (*key[:2], value.tobytes())
            if key in self._shared:
                return self._shared[key]
        tensor = self.proto.initializer.add()  # Filled here: weights are large.
        tensor.name = self._unused(name or value.dtype.name)
        tensor.data_type = helper.np_dtype_to_tensor_dtype(value.dtype)
        tensor.dims.extend(value.shape)
        tensor.raw_data = value.tobytes()
        if key[2]:
            self._shared[key] = tensor.name
        return tensor.name

    def integers(self, *values: int) -> str:
        """A constant of int64 numbers, [len(values)]."""
        return self.constant(np.array(values, np.int64))

    def floats(self, value: np.ndarray, name: str, wide: bool = False) -> str:
        """A constant of the precision of the graph, or, if `wide`, of float32.

        Args:
            value: It.
            name: Its name.
            wide: Whether it is float32 whatever the precision.

        Raises:
            ValueError: If a value has no room in float16.
        """
        dtype = np.dtype(np.float32) if wide else self.dtype
        largest = float(np.abs(value).max()) if value.size else 0.0
        if largest > float(np.finfo(dtype).max):
            raise ValueError(
                f"{name} holds {largest:.3g}, for which {dtype} (up to "
                f"{float(np.finfo(dtype).max):g}) has no room; export it with "
                f"--precision=float32."
            )
        return self.constant(np.ascontiguousarray(value, dtype), name)

    def cast(self, x: str, dtype: np.dtype | type, name: str = "") -> str:
        """Values of another dtype.

        Args:
            x: Name of the values.
            dtype: It.
            name: Of the result; "": one after the operator.
        """
        to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.node("Cast", x, name=name, to=to)

    def widened(self, x: str) -> str:
        """Maps of float32, from maps of the precision of the graph."""
        return x if self.dtype == np.float32 else self.cast(x, np.float32)

    def narrowed(self, x: str) -> str:
        """Maps of the precision of the graph, from maps of float32."""
        return x if self.dtype == np.float32 else self.cast(x, self.dtype)

    def size_of(self, x: str) -> str:
        """Height and width of maps [N, C, H, W], int64 [2]."""
        return self.node("Gather", self.node("Shape", x), self.integers(2, 3), axis=0)

    def _unused(self, wanted: str) -> str:
        self._counts[wanted] = self._counts.get(wanted, -1) + 1
        count = self._counts[wanted]
        return f"{wanted}.{count}" if count else wanted
