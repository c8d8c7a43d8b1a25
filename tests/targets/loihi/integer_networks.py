"""Random INTEGER networks for Loihi: everything that lowering has to understand, small."""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.strategies as st
import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Reset
from snnc.graph.neurons.sources import PoissonSource, SpikeSource
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.delay import Delay
from snnc.graph.operators.elementwise import Scale
from snnc.graph.operators.encode import QuantiseCurrent
from snnc.graph.operators.interface import Input, Output, Readout
from snnc.graph.operators.linear import Linear, SparseLinear
from snnc.graph.operators.merge import Concat
from snnc.graph.operators.rearrange import Flatten, Gather, Reshape, Transpose
from snnc.targets.loihi.compartment import LoihiCompartment

UNIT = 64


@dataclass
class Builder:
    """A graph that grows; ``shapes`` are those of its populations in order."""

    draw: st.DrawFn
    graph: Graph
    random: np.random.Generator
    shapes: dict[str, Shape]
    number: int = 0

    def add(self, operator: object, *inputs: str) -> str:
        self.number += 1
        name = f"{type(operator).__name__.lower()}{self.number}"
        self.graph = self.graph.add(name, operator, *inputs)  # type: ignore[arg-type]
        return name

    def choose(self, *options: object) -> object:
        return self.draw(st.sampled_from(options))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def shape(self, name: str) -> Shape:
        return self.graph.shapes[name]

    def weights(self, *shape: int) -> Array:
        """Weights of a width, exponent and sign of their own; some are zero."""
        bits, exponent = self.draw(st.integers(1, 7)), self.draw(st.integers(0, 2))
        values = self.random.integers(-(2**bits), 2**bits, shape) * 2**exponent
        values = {0: values, 1: np.abs(values), 2: -np.abs(values)}[
            self.draw(st.sampled_from([0, 0, 0, 1, 2]))
        ]
        values = np.where(np.abs(values) > 254, 0, values)
        if (values > 0).any() and (values < 0).any():
            values = np.where(np.abs(values) > 127, values // 2 * 2, values)
        return values * UNIT

    def population(self, shape: Shape, driven: bool = False) -> LoihiCompartment:
        reset = self.draw(st.sampled_from(Reset))
        threshold = self.parameter(shape, lambda n: self.random.integers(1, 128, n) * 2 * UNIT)
        slow = reset is Reset.ZERO and self.flag()
        return LoihiCompartment(
            threshold=threshold,
            reset=reset,
            reset_charge=threshold if self.flag() else np.array(2 * UNIT * int(self.random.integers(1, 128))),
            current_decay=self.parameter(shape, lambda n: self.random.integers(1, 4097, n)) if slow else 4096,
            voltage_decay=self.parameter(shape, lambda n: self.random.choice([0, 0, 1, 100, 4095], n)),
            bias=self.parameter(
                shape, lambda n: self.random.integers(-200, 200, n) * 2 ** self.draw(st.integers(0, 7))
            ),
            refractory=self.parameter(shape, lambda n: self.random.integers(1, 6, n)) if slow else 1,
            v_min=int(self.choose(-(2**23) + 1, -(2**15))),  # type: ignore[call-overload]
            initial_voltage=self.parameter(shape, lambda n: self.random.integers(-5000, 5000, n)),
            driven=driven,
        )

    def parameter(self, shape: Shape, values: object) -> Array:
        """One value, one a channel, or one a neuron (from three different ones)."""
        kind = self.draw(st.sampled_from(["one", "channel", "neuron"]))
        few = np.asarray(values(3))  # type: ignore[operator]
        if kind == "one":
            return few[:1].reshape(())
        if kind == "channel":
            return few[self.random.integers(0, 3, shape[0])].reshape(-1, *(1,) * (len(shape) - 1))
        return few[self.random.integers(0, 3, shape)]

    def fire(self, *inputs: str, driven: bool = False) -> str:
        """A population that reads ``inputs``."""
        shape = self.shape(inputs[0])
        name = self.add(self.population(shape, driven), *inputs)
        self.shapes[name] = shape
        return name


def first_population(builder: Builder, shape: Shape) -> str:
    kind = builder.choose("driven", "driven", "spikes", "poisson")
    if kind == "driven":
        current = builder.add(QuantiseCurrent(6000.0), "in")
        return builder.fire(current, driven=True)
    source = SpikeSource() if kind == "spikes" else PoissonSource(1.0, 3)
    name = builder.add(source, "in")
    builder.shapes[name] = shape
    return name


def conv(builder: Builder, source: str, out: int | None = None, like: bool = False) -> str:
    """A convolution behind ``source`` (channels and one or two axes); ``like`` keeps the spatial shape."""
    channels, *space = builder.shape(source)
    kernel = [builder.draw(st.integers(1, min(3, size))) for size in space]
    dilation = [
        1 if k == 1 or (k - 1) * 2 >= n else builder.draw(st.integers(1, 2))
        for k, n in zip(kernel, space, strict=True)
    ]
    stride = [1 if like else builder.draw(st.integers(1, 3)) for _ in space]
    if like:
        pads = [
            ((k - 1) * d // 2, (k - 1) * d - (k - 1) * d // 2) for k, d in zip(kernel, dilation, strict=True)
        ]
    else:
        pads = [(builder.draw(st.integers(0, 2)), builder.draw(st.integers(0, 2))) for _ in space]
    groups = builder.draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
    outputs = out if out is not None else groups * builder.draw(st.integers(1, 3))
    if outputs % groups:
        groups = 1
    weight = builder.weights(outputs, channels // groups, *kernel)
    return builder.add(Conv(weight, None, tuple(stride), tuple(pads), tuple(dilation), groups), source)


def rearranged(builder: Builder, source: str) -> str:
    """An index map behind ``source``: a selection with zeros and repeats, a crop, or a transpose."""
    shape = builder.shape(source)
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    kind = builder.choose("pick", "shuffle", "stride", "transpose", "pad")
    if kind == "transpose":
        order = (0, *reversed(range(1, len(shape))))
        return builder.add(Transpose(order), source)
    if kind == "pick":
        picked = builder.random.integers(-1, numbers.size, shape)
    elif kind == "shuffle":
        picked = numbers[builder.random.permutation(shape[0])]
    elif kind == "stride":
        picked = numbers[(slice(None), *(slice(None, None, 2) for _ in shape[1:]))]
    else:
        picked = np.pad(numbers, [(0, 0), *((1, 0) for _ in shape[1:])], constant_values=-1)
    return builder.add(Gather(np.ascontiguousarray(picked), shape), source)


def projection(builder: Builder, source: str, target: Shape | None = None) -> str:
    """A weighted map from a population, to ``target`` or to a shape of its choice."""
    shape = builder.shape(source)
    if target is not None:
        return projection_to(builder, source, target)
    kinds = ["linear", "sparse", "scale", "rows"]
    kinds += ["conv"] * 6 if len(shape) > 1 else []
    kind = builder.draw(st.sampled_from(kinds))
    if kind != "linear" and builder.draw(st.integers(0, 3)) == 0:
        source = rearranged(builder, source)
        shape = builder.shape(source)
    if kind == "conv":
        return conv(builder, source)
    if kind == "rows":
        return builder.add(Linear(builder.weights(builder.draw(st.integers(1, 5)), shape[-1])), source)
    if kind == "scale":
        sizes = builder.draw(
            st.sampled_from([(1,) * len(shape), (shape[0], *(1,) * (len(shape) - 1)), shape])
        )
        return builder.add(Scale(builder.weights(*sizes)), source)
    if kind == "linear":
        flat = builder.add(Flatten(), source) if len(shape) > 1 else source
        return builder.add(
            Linear(builder.weights(builder.draw(st.integers(1, 20)), int(np.prod(shape)))), flat
        )
    return sparse(builder, source, (builder.draw(st.integers(1, 30)),))


def sparse(builder: Builder, source: str, target: Shape) -> str:
    shape = builder.shape(source)
    size, width = int(np.prod(target)), int(np.prod(shape))
    cells = builder.random.permutation(size * width)[: builder.draw(st.integers(0, 60))]
    values = builder.weights(len(cells))
    return builder.add(SparseLinear(cells // width, cells % width, values, shape, target), source)


def projection_to(builder: Builder, source: str, target: Shape) -> str:
    shape = builder.shape(source)
    if shape == target and builder.flag():
        return builder.add(Scale(builder.weights(*(1,) * len(shape))), source)
    if len(shape) == len(target) > 1 and shape[1:] == target[1:]:
        return conv(builder, source, target[0], like=True)
    if builder.flag():
        return sparse(builder, source, target)
    flat = builder.add(Flatten(), source) if len(shape) > 1 else source
    dense = builder.add(Linear(builder.weights(int(np.prod(target)), int(np.prod(shape)))), flat)
    return dense if len(target) == 1 else builder.add(Reshape(target), dense)


def delayed(builder: Builder, source: str) -> str:
    return (
        builder.add(Delay(builder.draw(st.integers(1, 4))), source)
        if builder.draw(st.integers(0, 4)) == 0
        else source
    )


def grow(builder: Builder, populations: list[str]) -> str:
    """One more population, or a loop of two."""
    kind = builder.draw(
        st.sampled_from(["plain", "plain", "residual", "concat", "loop", "pair", "driven", "flat"])
    )
    source = builder.draw(st.sampled_from(populations[-3:]))
    first = delayed(builder, projection(builder, source))
    shape = builder.shape(first)
    if kind == "residual":
        other = builder.draw(st.sampled_from(populations))
        return builder.fire(first, delayed(builder, projection(builder, other, shape)))
    if kind == "concat":
        other = builder.draw(st.sampled_from(populations))
        wanted = (
            (builder.draw(st.integers(1, 3)), *shape[1:])
            if len(shape) > 1
            else (builder.draw(st.integers(1, 9)),)
        )
        second = delayed(builder, projection(builder, other, wanted))
        return builder.fire(builder.add(Concat(0), first, second))
    if kind == "driven":
        if int(np.prod(shape)) != int(np.prod(builder.shape("in"))):
            return builder.fire(first)
        current = builder.add(QuantiseCurrent(900.0), "in")
        return builder.fire(first, builder.add(Reshape(shape), current), driven=True)
    if kind == "flat":
        return builder.fire(builder.add(Flatten(), first) if len(shape) > 1 else first)
    if kind in ("loop", "pair"):
        return loop(builder, first, two=kind == "pair")
    return builder.fire(first)


def loop(builder: Builder, first: str, two: bool) -> str:
    """A population that drives itself, or two that drive each other."""
    shape = builder.shape(first)
    name = f"recurrent{builder.number}"
    held = builder.graph
    placeholder = builder.graph.add(name, builder.population(shape), first)
    builder.graph, builder.shapes[name] = placeholder, shape
    if two:
        partner = builder.fire(delayed(builder, projection(builder, name)))
        back = delayed(builder, projection(builder, partner, shape))
    else:
        back = delayed(builder, projection(builder, name, shape))
    nodes = list(builder.graph)
    at = len(list(held))
    old = nodes[at]
    nodes[at] = type(old)(old.name, old.operator, (first, back), old.sources)
    builder.graph = Graph(builder.graph.name, nodes)
    return name


@st.composite
def integer_networks(draw: st.DrawFn) -> Graph:
    """Networks of 2 to 6 populations."""
    shape = draw(st.sampled_from([(2, 5, 6), (4, 4, 4), (1, 7, 3), (3, 9), (12,), (40,)]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    builder = Builder(draw, Graph("random").add("in", Input(shape)), random, {})
    populations = [first_population(builder, shape)]
    for _ in range(draw(st.integers(1, 4))):
        populations.append(grow(builder, populations))
        populations += [name for name in builder.shapes if name not in populations]
    return finished(builder, populations[-1])


def finished(builder: Builder, last: str) -> Graph:
    """The graph with an output, and everything that nobody reads read by a population."""
    graph = builder.graph
    for name in [n for n in graph.consumers if not graph.consumers[n] and n != last and n in builder.shapes]:
        builder.graph = graph
        sink = projection_to(builder, name, builder.shape(last))
        graph = builder.graph
        nodes = [
            type(node)(node.name, node.operator, (sink, *node.inputs), node.sources)
            if node.name == last
            else node
            for node in graph
        ]
        graph = Graph(graph.name, nodes)
    readout = builder.draw(st.sampled_from([Readout.COUNT, Readout.POTENTIAL]))
    if not isinstance(graph[last].operator, LoihiCompartment):
        readout = Readout.COUNT
    return graph.add("out", Output(readout, 0.5, 0.25), last)
