"""The operators of an ANN and the linear maps of a spiking network, a family a file."""

from importlib import import_module
from pkgutil import iter_modules

from .activation import Clip, Relu
from .base import (
    Activation,
    Array,
    Decision,
    Level,
    LinearMap,
    Operator,
    Rearrangement,
    Shape,
    registered_operator,
)
from .conv import Conv
from .decision import ArgMax, LogSoftmax, Softmax
from .delay import Delay
from .elementwise import BatchNorm, Bias, Scale
from .encode import QuantiseCurrent
from .interface import Input, Output, Readout
from .linear import Linear, SparseLinear
from .low_pass import LowPass
from .merge import Add, Concat
from .pool import AvgPool, MaxPool
from .rearrange import Flatten, Gather, Pad, Reshape, Select, Transpose
from .step import Step

for _module in iter_modules(
    __path__
):  # every file registers its operators, by which graphs are read from files
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "Activation",
    "Add",
    "ArgMax",
    "Array",
    "AvgPool",
    "BatchNorm",
    "Bias",
    "Clip",
    "Concat",
    "Conv",
    "Decision",
    "Delay",
    "Flatten",
    "Gather",
    "Input",
    "Level",
    "Linear",
    "LinearMap",
    "LogSoftmax",
    "LowPass",
    "MaxPool",
    "Operator",
    "Output",
    "Pad",
    "QuantiseCurrent",
    "Readout",
    "Rearrangement",
    "Relu",
    "Reshape",
    "Scale",
    "Select",
    "Shape",
    "Softmax",
    "SparseLinear",
    "Step",
    "Transpose",
    "registered_operator",
]
