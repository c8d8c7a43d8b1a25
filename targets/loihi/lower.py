"""From an INTEGER graph to the program of one or more Loihi chips."""

from __future__ import annotations

from collections.abc import Mapping

from snnc.errors import Diagnostic, MappingError, Severity
from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators.interface import Output
from snnc.pipeline import Context
from snnc.targets.frame import Answer
from snnc.targets.host import host_graph
from snnc.targets.target import CompileOptions

from .allocate import allocate
from .core_assignment import place
from .limits import LOIHI, LoihiLimits
from .network import LoihiLayer, Network, network
from .partition import partition
from .program import LoihiPopulation, LoihiProgram


def lower(
    graph: Graph,
    options: CompileOptions | None = None,
    context: Context | None = None,
    *,
    limits: LoihiLimits = LOIHI,
) -> LoihiProgram:
    """The program of an INTEGER graph: cut into blocks, placed on cores, axons and memories filled.

    Args:
        graph: populations of ``LoihiCompartment`` and spike sources, linear maps of integer weights (multiples of
            64, in units of the potential), biases in the compartments.
        options: ``max_chips`` is looked at.
        context: takes the warnings.
        limits: of a chip.

    Raises:
        MappingError T1xx: what does not fit, in which layer, by how much, and what would help.
    """
    laid_out = network(graph, limits)
    cuts = partition(laid_out, limits)
    spots = place(cuts, limits)
    cores = 1 + max((spot.core for layer in spots for spot in layer), default=-1)
    check_chips(cores, limits, options or CompileOptions(), context or Context())
    tiles, memories = allocate(laid_out, cuts, spots, limits)
    host, readers = host_graph(graph, _hosted(laid_out))
    return LoihiProgram(
        name=graph.name,
        populations=tuple(_population(layer, readers.get(layer.node.name)) for layer in laid_out.layers),
        components=laid_out.components,
        tiles=tiles,
        memories=memories,
        host=host,
        answers=tuple(_answer(output, read) for output, read in laid_out.outputs),
    )


def _answer(node: Node, population: int) -> Answer:
    assert isinstance(node.operator, Output)
    return Answer.of_output(node.name, node.operator, population)


def check_chips(cores: int, limits: LoihiLimits, options: CompileOptions, context: Context) -> None:
    """Warn (W301) where more than one chip is needed; raise MappingError T111 where more than allowed are."""
    chips = -(-cores // limits.cores)
    if options.max_chips is not None and chips > options.max_chips:
        raise MappingError(
            "T111",
            f"the network needs {cores} cores on {chips} chips, but at most {options.max_chips} may be used",
            remedy="allow more chips (--max-chips), or see snnc inspect for what would need fewer cores",
        )
    if chips > 1:
        context.report(
            Diagnostic(
                "W301",
                Severity.WARNING,
                f"the network needs {cores} cores, which are {chips} chips of {limits.cores}",
                remedy="snnc inspect says which layers take them and what would need fewer",
            )
        )


def _population(layer: LoihiLayer, host: str | None) -> LoihiPopulation:
    """The population of a layer; ``host`` is the host's output that gives its spikes or its current."""
    name, neuron = layer.node.name, layer.neuron
    if neuron is None:
        return LoihiPopulation(name, layer.shape, layer.start, source=host)
    return LoihiPopulation(
        name,
        layer.shape,
        layer.start,
        layer.subtract,
        neuron.v_min,
        neuron.v_max,
        host,
    )


def _hosted(laid_out: Network) -> Mapping[str, str]:
    """For every population that the host drives or whose spikes it makes, the last node of the host."""
    made = {layer.node.name: layer.node.name for layer in laid_out.layers if layer.neuron is None}
    driven = {
        layer.node.name: layer.drive for layer in laid_out.layers if layer.drive and layer.neuron is not None
    }
    return made | driven
