"""Hypothesis strategy for random ONNX models over all operators that can be imported, in their many spellings.

Structure is drawn by hypothesis, so that failures shrink; weights come from a generator with a drawn seed and
are sized such that values stay near 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx_nets import OnnxNet

OPSETS = (9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21, 22, onnx.defs.onnx_opset_version())

SPATIAL = (
    "conv",
    "batch_norm",
    "activation",
    "average_pool",
    "max_pool",
    "pad",
    "constant_arithmetic",
    "residual",
    "concat",
    "difference",
    "channel_last",
    "transpose",
    "unsqueeze_squeeze",
    "reshape",
    "passthrough",
    "select",
    "mat_mul",
)
DENSE = ("gemm", "mat_mul", "activation", "constant_arithmetic", "batch_norm", "passthrough", "residual")
ENDINGS = ("none", "none", "softmax", "log_softmax", "arg_max")


@st.composite
def onnx_models(draw: st.DrawFn, blocks: int = 5) -> onnx.ModelProto:
    """A random ONNX model with one input and one output that onnxruntime runs."""
    axes = draw(st.sampled_from([1, 2, 2]))
    shape = (draw(st.integers(1, 3)), *(draw(st.integers(3, 7)) for _ in range(axes)))
    net = OnnxNet(shape, draw(st.sampled_from(OPSETS)), draw(st.sampled_from(["batch", "batch", 1, 3])))
    maker = _Maker(draw, net)
    if draw(st.booleans()):
        maker.channel_last()
    for kind in draw(st.lists(st.sampled_from(SPATIAL), min_size=1, max_size=blocks)):
        getattr(maker, kind)()
    if draw(st.booleans()):
        maker.to_vector()
        for kind in draw(st.lists(st.sampled_from(DENSE), min_size=1, max_size=3)):
            getattr(maker, kind)()
    getattr(maker, draw(st.sampled_from(ENDINGS)))()
    if not net.nodes:
        net.step("Identity")
    return net.model()


@dataclass
class _Maker:
    """Adds drawn operators at the tip of a model."""

    draw: st.DrawFn
    net: OnnxNet
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**16)))

    @property
    def space(self) -> tuple[int, ...]:
        return self.net.shape[1:]

    @property
    def is_spatial(self) -> bool:
        return len(self.net.shape) in (2, 3)

    def pick(self, *choices: object) -> object:
        return self.draw(st.sampled_from(choices))

    def uniform(self, low: float, high: float, *shape: int) -> np.ndarray:
        return self.rng.uniform(low, high, shape).astype(np.float32)

    def given(self, value: object, dtype: type = np.float32) -> str:
        """A constant as an initializer, a Constant node, or one behind an Identity."""
        how = self.pick("initializer", "initializer", "node", "identity")
        if how == "initializer":
            return self.net.constant(value, dtype)
        tip = self.net.tip
        name = self.net.step("Constant", value=onnx.numpy_helper.from_array(np.asarray(value, dtype)))
        if how == "identity":
            name = self.net.step("Identity", name)
        self.net.tip = tip
        return name

    def node(self, kind: str, *more: str, **attributes: object) -> str:
        """A node that reads the tip first; the Constants of ``more`` were made before."""
        return self.net.step(kind, self.net.tip, *more, **attributes)

    def listed(self, kind: str, since: int, key: str, values: tuple[int, ...], **attributes: object) -> str:
        """A node whose list is an input since an opset and an attribute before."""
        if self.net.opset >= since:
            return self.node(kind, self.given(values, np.int64), **attributes)
        return self.node(kind, **{key: values}, **attributes)

    def axis(self, axis: int, rank: int) -> int:
        """An axis, perhaps counted from the end (allowed since opset 11); ``rank`` includes the batch axis."""
        return axis - rank if self.net.opset >= 11 and self.pick(True, False) else axis

    # Windows

    def window(self, dilated: bool) -> dict[str, object]:
        space, draw = self.space, self.draw
        kernel = [draw(st.integers(1, min(3, size))) for size in space]
        attributes: dict[str, object] = {"kernel_shape": kernel}
        attributes["strides"] = [draw(st.integers(1, 3)) for _ in space]
        if dilated and draw(st.booleans()):
            attributes["dilations"] = [
                draw(st.integers(1, 2)) if (k - 1) * 2 < n else 1 for k, n in zip(kernel, space, strict=True)
            ]
        style = self.pick("none", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID")
        if style == "pads":
            sides = [draw(st.integers(0, (k - 1))) for k in (*kernel, *kernel)]
            attributes["pads"] = sides
        elif style != "none" and "dilations" not in attributes:
            # onnxruntime refuses pools whose stride skips elements under auto_pad.
            attributes["strides"] = [min(s, k) for s, k in zip(attributes["strides"], kernel, strict=True)]
            attributes["auto_pad"] = style
        return attributes

    def ceil(self, attributes: dict[str, object]) -> None:
        """Perhaps round the output size up.

        Not where a window would start behind the input: onnxruntime leaves it out, but its own shape inference
        counts it, and then refuses the nodes behind.
        """
        if self.net.opset < 10 or "auto_pad" in attributes or self.pick(True, False):
            return
        kernel = attributes["kernel_shape"]
        attributes["ceil_mode"] = 1
        attributes["strides"] = [min(s, k) for s, k in zip(attributes["strides"], kernel, strict=True)]
        if "pads" in attributes:
            attributes["pads"] = [*attributes["pads"][: len(kernel)], *(0 for _ in kernel)]

    def conv(self) -> None:
        if not self.is_spatial:
            return
        inputs = self.net.shape[0]
        groups = self.pick(1, inputs)
        outputs = groups * self.draw(st.integers(1, 3))
        attributes = self.window(dilated=True)
        kernel = attributes["kernel_shape"]
        if self.pick(True, False):
            del attributes["kernel_shape"]
        shape = (outputs, inputs // groups, *kernel)
        weight = self.given(self.uniform(-1, 1, *shape) * 1.5 / np.sqrt(np.prod(shape[1:])))
        bias = [self.given(self.uniform(-0.3, 0.3, outputs))] if self.pick(True, False) else []
        self.node("Conv", weight, *bias, group=groups, **attributes)
        self.activation()

    def average_pool(self) -> None:
        if not self.is_spatial:
            return
        if self.pick(True, False, False):
            self.node("GlobalAveragePool")
            return
        attributes = self.window(dilated=False)
        self.ceil(attributes)
        attributes["count_include_pad"] = self.pick(0, 1)
        self.node("AveragePool", **attributes)

    def max_pool(self) -> None:
        if not self.is_spatial:
            return
        attributes = self.window(dilated=self.net.opset >= 10)
        self.ceil(attributes)
        self.node("MaxPool", **attributes)

    # Element by element

    def activation(self) -> None:
        kind = self.pick("Relu", "Relu", "relu6", "low", "bounds", "Max", "nothing")
        if kind == "Relu":
            self.node("Relu")
        elif kind == "Max":
            self.node("Max", self.given(self.pick(0.0, 0.25)))
        elif kind != "nothing":
            low, high = {"relu6": (0.0, 0.75), "low": (self.pick(0.0, -0.25), None), "bounds": (-0.25, 0.5)}[
                kind
            ]
            self.clip(low, high)

    def clip(self, low: float, high: float | None) -> None:
        if self.net.opset < 11:
            self.node("Clip", **({"min": low} if high is None else {"min": low, "max": high}))
            return
        bounds = [self.given(np.float32(low))] + ([] if high is None else [self.given(np.float32(high))])
        self.node("Clip", *bounds)

    def batch_norm(self) -> None:
        channels = self.net.shape[0]
        if self.pick(True, False):
            shape = (channels, *(1,) * (len(self.net.shape) - 1))
            for kind, low in (("Sub", -0.3), ("Mul", 0.5), ("Add", -0.3)):
                self.node(kind, self.given(self.uniform(low, 1.2, *shape)))
            return
        parts = [(0.5, 1.2), (-0.3, 0.3), (-0.3, 0.3), (0.5, 1.5)]
        self.node(
            "BatchNormalization", *(self.given(self.uniform(*part, channels)) for part in parts), epsilon=1e-3
        )

    def constant_arithmetic(self) -> None:
        kind = self.pick("Add", "Sub", "Mul", "Div")
        full = self.net.shape
        shape = self.pick((), (1,), (full[-1],), (full[0], *(1,) * (len(full) - 1)), full, (1, *full))
        value = self.given(self.uniform(0.5, 1.5, *shape))
        if kind != "Div" and self.pick(True, False):
            self.net.step(kind, value, self.net.tip)
        else:
            self.node(kind, value)

    # Branches

    def residual(self) -> None:
        trunk = self.net.tip
        self.constant_arithmetic()
        self.activation()
        self.net.step(self.pick("Add", "Sum"), self.net.tip, trunk)

    def difference(self) -> None:
        trunk = self.net.tip
        self.activation()
        if self.is_spatial and self.pick(True, False):
            self.node("GlobalAveragePool")
        self.net.step("Sub", trunk, self.net.tip)

    def concat(self) -> None:
        trunk = self.net.tip
        self.activation()
        axis = self.draw(st.integers(1, len(self.net.shape)))
        self.net.step("Concat", self.net.tip, trunk, axis=self.axis(axis, len(self.net.shape) + 1))

    # Shapes and layouts

    def channel_last(self) -> None:
        rank = len(self.net.shape)
        if rank < 2:
            return
        to_last = [0, *range(2, rank + 1), 1]
        to_first = [0, rank, *range(1, rank)]
        self.node("Transpose", perm=to_last)
        kind = self.pick("activation", "constant_arithmetic", "reduce", "pad", "nothing", "concat")
        if kind == "reduce":
            self.reduce(tuple(range(1, rank)))
        elif kind != "nothing":
            getattr(self, kind)()
        if len(self.net.shape) == rank and self.pick(True, True, False):
            self.node("Transpose", perm=to_first)

    def transpose(self) -> None:
        order = self.draw(st.permutations(range(1, len(self.net.shape) + 1)))
        self.node("Transpose", perm=[0, *order])

    def reduce(self, axes: tuple[int, ...] | None = None) -> None:
        rank = len(self.net.shape)
        axes = axes or tuple(range(2, rank + 1))
        axes = tuple(self.axis(axis, rank + 1) for axis in axes)
        kind = self.pick("ReduceMean", "ReduceMean", "ReduceMax", "ReduceSum")
        since = 13 if kind == "ReduceSum" else 18
        self.listed(kind, since, "axes", axes, keepdims=self.pick(0, 1))

    def unsqueeze_squeeze(self) -> None:
        axis = self.draw(st.integers(1, len(self.net.shape) + 1))
        self.listed("Unsqueeze", 13, "axes", (axis,))
        if self.pick(True, False):
            self.activation()
        self.listed("Squeeze", 13, "axes", (self.axis(axis, len(self.net.shape) + 1),))

    def reshape(self) -> None:
        shape = list(self.net.shape)
        if len(shape) < 2:
            return
        merged = [shape[0] * shape[1], *shape[2:]]
        self.to_shape(self.pick(merged, shape, [shape[0], int(np.prod(shape[1:]))]))

    def to_shape(self, shape: list[int]) -> None:
        how = (
            self.pick("zero", "minus one", "chain")
            if self.net.batch == "batch"
            else self.pick("zero", "fixed", "chain")
        )
        if how == "zero":
            self.node("Reshape", self.given([0, *shape[:-1], -1], np.int64))
        elif how == "minus one":
            self.node("Reshape", self.given([-1, *shape], np.int64))
        elif how == "fixed":
            self.node("Reshape", self.given([self.net.batch, *shape], np.int64))
        else:
            self.shape_chain(shape)

    def shape_chain(self, shape: list[int]) -> None:
        """The batch size through Shape, Gather, Unsqueeze and Concat, as exporters write it."""
        source, net = self.net.tip, self.net
        sizes = net.step("Shape", source)
        net.step("Gather", sizes, self.given(0, np.int64), axis=0)
        first = self.listed("Unsqueeze", 13, "axes", (0,))
        target = net.step("Concat", first, self.given(shape, np.int64), axis=0)
        net.step("Reshape", source, target)

    def to_vector(self) -> None:
        how = self.pick("flatten", "reshape", "pool", "mean")
        if how == "pool" and self.is_spatial:
            self.node("GlobalAveragePool")
            self.listed("Squeeze", 13, "axes", tuple(range(2, len(self.net.shape) + 1)))
        elif how == "mean" and self.is_spatial:
            self.node("ReduceMean", *self.mean_axes(), **self.mean_attributes())
        elif how == "reshape":
            self.to_shape([int(np.prod(self.net.shape))])
        else:
            self.node("Flatten", axis=self.pick(1, 1))

    def mean_axes(self) -> list[str]:
        axes = tuple(range(2, len(self.net.shape) + 1))
        return [self.given(axes, np.int64)] if self.net.opset >= 18 else []

    def mean_attributes(self) -> dict[str, object]:
        axes = tuple(range(2, len(self.net.shape) + 1))
        return {"keepdims": 0} if self.net.opset >= 18 else {"keepdims": 0, "axes": axes}

    def pad(self) -> None:
        rank = len(self.net.shape)
        mode = self.pick("constant", "constant", "constant", "reflect", "edge")
        most = 1 if mode == "reflect" and min(self.net.shape) > 1 else 2
        if mode == "reflect" and min(self.net.shape) == 1:
            mode = "edge"
        sides = [self.draw(st.integers(0, most)) for _ in range(2 * rank)]
        pads = [0, *sides[:rank], 0, *sides[rank:]]
        value = self.pick(0.0, 0.0, 0.5) if mode == "constant" else 0.0
        if self.net.opset < 11:
            self.node("Pad", pads=pads, mode=mode, value=value)
            return
        more = [self.given(np.float32(value))] if value or self.pick(True, False) else []
        self.node("Pad", self.given(pads, np.int64), *more, mode=mode)

    def passthrough(self) -> None:
        kind = self.pick("Identity", "Dropout", "Cast")
        self.node(kind, **({"to": int(onnx.TensorProto.FLOAT)} if kind == "Cast" else {}))

    def select(self) -> None:
        axis = self.draw(st.integers(1, len(self.net.shape)))
        size = self.net.shape[axis - 1]
        if self.net.opset >= 11 and self.pick(True, False):
            chosen = self.draw(st.lists(st.integers(-size, size - 1), min_size=1, max_size=4))
            self.node("Gather", self.given(chosen, np.int64), axis=axis)
            return
        start = self.draw(st.integers(0, size - 1))
        end = self.draw(st.integers(start + 1, size + 1))
        if self.net.opset < 10:
            self.node("Slice", axes=[axis], starts=[start], ends=[end])
        else:
            self.node("Slice", *(self.given([value], np.int64) for value in (start, end, axis)))

    # Dense maps

    def gemm(self) -> None:
        if len(self.net.shape) != 1:
            return
        inputs, outputs = self.net.shape[0], self.draw(st.integers(1, 5))
        transposed = self.pick(0, 1)
        weight = self.uniform(-1, 1, outputs, inputs) * np.float32(1.5 / np.sqrt(inputs))
        terms = [self.given(weight if transposed else weight.T)]
        if self.net.opset < 11 or self.pick(True, False):
            shape = self.pick((outputs,), (1, outputs), (1,), ())
            terms.append(self.given(self.uniform(-0.3, 0.3, *shape)))
        self.node("Gemm", *terms, transB=transposed, alpha=self.pick(1.0, 0.5), beta=self.pick(1.0, 2.0))
        self.activation()

    def mat_mul(self) -> None:
        shape, outputs = self.net.shape, self.draw(st.integers(1, 4))
        if len(shape) > 1 and self.pick(True, False):
            matrix = self.given(self.uniform(-1, 1, outputs, shape[-2]) / np.sqrt(shape[-2]))
            self.net.step("MatMul", matrix, self.net.tip)
            return
        self.node("MatMul", self.given(self.uniform(-1, 1, shape[-1], outputs) / np.sqrt(shape[-1])))
        if self.pick(True, False):
            self.node("Add", self.given(self.uniform(-0.3, 0.3, outputs)))

    # Endings

    def none(self) -> None:
        pass

    def softmax(self) -> None:
        self.node("Softmax", axis=self.draw(st.integers(1, len(self.net.shape))))

    def log_softmax(self) -> None:
        self.node("LogSoftmax", axis=self.axis(len(self.net.shape), len(self.net.shape) + 1))

    def arg_max(self) -> None:
        self.node("ArgMax", axis=self.axis(1, len(self.net.shape) + 1), keepdims=self.pick(0, 1))
