"""Operators known to have no spiking counterpart here, each with what a user can do instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from snnc.formats.onnx.registry import Refusal

_SMOOTH = (
    "it is a smooth function that no spiking neuron of snnc computes",
    "train the network with Relu instead",
)
_NEGATIVE = ("it lets negative values through", "train the network with Relu instead")
_RECURRENT = ("recurrent layers are not read from ONNX", "write the recurrent network with snnc.Graph")
_CONTROL = ("control flow cannot be compiled", "export the network for one fixed path")
_RESIZE = ("it samples the signal at other places", "resize by nearest neighbours")
_TRANSPOSED = ("it puts windows back together", "use a transposed convolution")
_STATISTICS = (
    "it normalises with statistics of the sample itself",
    "train the network with batch normalisation instead",
)
_QUANTISED = ("the model is quantised already", "export the model in float32; snnc quantises it for the chip")
_TRUTH = ("it combines truth values", "compare one signal with constants, and use the result as numbers")
_PRODUCT = ("it computes powers or roots of the signal", "use a network without it")

WHY: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("Sigmoid", "Tanh", "HardSwish", "Gelu", "Mish", "Swish", "Erf"), _SMOOTH),
        **dict.fromkeys(("Softplus", "Softsign", "Exp", "Log", "Sin", "Cos"), _SMOOTH),
        **dict.fromkeys(("Elu", "Selu", "Celu", "ThresholdedRelu", "Shrink"), _NEGATIVE),
        **dict.fromkeys(("LSTM", "GRU", "RNN"), _RECURRENT),
        **dict.fromkeys(("If", "Loop", "Scan"), _CONTROL),
        **dict.fromkeys(("GridSample", "AffineGrid"), _RESIZE),
        **dict.fromkeys(("MaxUnpool", "Col2Im"), _TRANSPOSED),
        **dict.fromkeys(
            ("LRN", "LayerNormalization", "InstanceNormalization", "GroupNormalization"), _STATISTICS
        ),
        **dict.fromkeys(("RMSNormalization", "LpNormalization", "MeanVarianceNormalization"), _STATISTICS),
        **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul"), _QUANTISED),
        **dict.fromkeys(("ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"), _QUANTISED),
        **dict.fromkeys(("And", "Or", "Xor"), _TRUTH),
        **dict.fromkeys(("Pow", "Sqrt", "Reciprocal", "ReduceL2", "ReduceSumSquare", "LpPool"), _PRODUCT),
    }
)


def refusal_of(name: str, domain: str) -> Refusal:
    """Why an operator without a handler is refused."""
    if domain not in ("", "ai.onnx"):
        return Refusal(
            f"it belongs to the domain {domain!r}, not to ONNX's own operators",
            "export the network with standard operators",
        )
    why, remedy = WHY.get(
        name, ("snnc has no rule for this operator", "remove it, or write a handler for it")
    )
    return Refusal(why, remedy)
