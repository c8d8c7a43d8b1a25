"""Gives every core a site on the mesh, so that the messages of a few sample runs have short ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from snnc.choices import PlacementMethod
from snnc.errors import SnncError
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.graph.samples import Samples
from snnc.kernels.placement import Grid, Net, Spots, anneal, link_loads, relieve
from snnc.pipeline import Context
from snnc.targets.target import CompileOptions, Placement
from snnc.validation import Validation

_SAMPLES = 32
"""Samples of the calibration run, at most."""

_SHORTEST_RUN = 4
"""Ticks of a calibration run, at least, unless fewer were asked for; ``_PRIORS`` weigh what is silent in them."""

_WORK = 3_000_000_000
"""Synapses times ticks times samples of a calibration run, about."""

_NEURON_WORK = 10
"""An update of a neuron takes about as long as so many synapses, most of which no spike comes to."""

_PRIORS = (0.01, 0.3, 3.0)
"""Messages that every neuron is taken to send beside those of the runs, divided by the mean of all, by search."""

_EFFORT = 80_000_000
"""Messages between two cores that annealing looks at, about."""

_RELIEF = 2_000_000
"""The same of the search for less busy links, which looks at all links between them."""

_MOVES = (20_000, 2_000_000)
_MOVES_A_CORE = 2_000
_HEAT = (3.0, 1.0, 3.0)
"""First temperatures of the searches, in mean messages of a core."""

_COLD = 1e-3
"""Last temperature of an annealing, divided by the first."""

_WORTHWHILE = 0.95
"""What has more than this share of the weighted ways of row by row is left row by row: samples differ by more."""

_SLACK = 1.01
"""Ways may grow by so much for the sake of the busiest links."""


@dataclass(frozen=True, eq=False)
class Sites:
    """Where cores may be.

    Attributes:
        x, y: (sites,) int64, column and row of each site's router over all chips; sites are numbered row by row,
            chip by chip. Routers with sites have ``capacity`` of them.
        curve: (sites,) int64, all sites along a curve on which neighbours are near each other.
        capacity: sites of a router.
        chip_width, chip_height: routers along the sides of a chip.
        crossing: hops that the border of a chip counts as, beside its own.
        reach: columns and rows that a message may go at most; None for any number.
    """

    x: Array
    y: Array
    curve: Array
    capacity: int
    chip_width: int
    chip_height: int
    crossing: float
    reach: int | None = None

    @property
    def width(self) -> int:
        """Columns of routers."""
        return int(self.x.max()) + 1

    @property
    def height(self) -> int:
        """Rows of routers."""
        return int(self.y.max()) + 1


def curve(width: int, height: int) -> Array:
    """(routers, 2) columns and rows of a rectangle along a generalised Hilbert curve, from (0, 0) on."""
    routers: list[tuple[int, int]] = []
    wide, high = (width, 0), (0, height)
    _curve(routers, (0, 0), *((wide, high) if width >= height else (high, wide)))
    return np.array(routers)


_Vector = tuple[int, int]


def _curve(routers: list[_Vector], start: _Vector, along: _Vector, across: _Vector) -> None:
    """Add the curve through a rectangle to ``routers``; it starts at a corner and leaves at the end of side ``along``.

    After gilbert by J. Cerveny: a rectangle that is long is halved, another is gone through in three parts.
    """
    long, short = abs(sum(along)), abs(sum(across))
    if short == 1 or long == 1:
        side, steps = (along, long) if short == 1 else (across, short)
        routers += [(start[0] + at * _sign(side[0]), start[1] + at * _sign(side[1])) for at in range(steps)]
        return
    halves = 2 * long > 3 * short
    first = _half(along, long, halves)
    if halves:
        _curve(routers, start, first, across)
        _curve(routers, _sum(start, first), _sum(along, first, -1), across)
        return
    low = _half(across, short, True)
    _curve(routers, start, low, first)
    _curve(routers, _sum(start, low), along, _sum(across, low, -1))
    last = _sum(along, (_sign(along[0]), _sign(along[1])), -1)
    corner = _sum(_sum(start, last), _sum(low, (_sign(low[0]), _sign(low[1])), -1))
    _curve(routers, corner, _sum((0, 0), low, -1), _sum(first, along, -1))


def _half(side: _Vector, length: int, even: bool) -> _Vector:
    """About half of a side, of an even length where that is asked for."""
    half = length // 2
    half += even and half % 2 == 1 and length > 2
    return half * _sign(side[0]), half * _sign(side[1])


def _sum(vector: _Vector, other: _Vector, factor: int = 1) -> _Vector:
    return vector[0] + factor * other[0], vector[1] + factor * other[1]


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


@dataclass(frozen=True, eq=False)
class Messages:
    """Messages between pairs of cores in some runs.

    Attributes:
        cores: number of cores; the number behind the last stands for the host, whose messages enter at column 0 and
            row 0.
        source, target: (pairs,) int64.
        count: (pairs,) int64, messages in all runs.
        routes: (pairs,) int64, ways of single neurons to single axons, whether they fire or not.
    """

    cores: int
    source: Array
    target: Array
    count: Array
    routes: Array

    def weight(self, prior: float = _PRIORS[0]) -> Array:
        """(pairs,) float64, what ways are weighed with: neurons that were silent in the runs may fire in others."""
        known = self.count.sum() / max(self.routes.sum(), 1)
        return np.asarray(self.count + (prior * known or 1.0) * self.routes)


@dataclass(frozen=True)
class SampleRun:
    """The run whose messages placement follows.

    Attributes:
        samples: (samples, *input shape) float32.
        ticks: how long they are presented.
    """

    samples: Samples
    ticks: int


def sample_run(
    graph: Graph, options: CompileOptions, context: Context, neurons: int, synapses: int = 0
) -> SampleRun:
    """The first calibration samples, or seeded random ones: as many as take a second or two.

    The time is estimated from the numbers of the program's neurons and synapses.
    """
    each = max(synapses + _NEURON_WORK * neurons, 1)
    ticks = int(np.clip(_WORK // each, min(_SHORTEST_RUN, options.ticks), options.ticks))
    samples = int(np.clip(_WORK // (each * ticks), 1, _SAMPLES))
    return SampleRun(Validation(samples).samples_from(graph, context.calibration, context.seed), ticks)


def placed(
    method: PlacementMethod,
    run: SampleRun,
    sites: Sites,
    cores: int,
    messages_of: Callable[[SampleRun | None], Messages],
    seed: int,
) -> tuple[Array, Placement]:
    """A site for every core, and what it is worth.

    Args:
        method: ``rows``, ``curve`` or ``traffic``.
        run: what is run to see the messages.
        sites: those of as many chips as are needed.
        cores: number of cores; if one router has room for all, nothing is run.
        messages_of: runs the program and gives its messages; without a run, one for each neuron.
        seed: of the search.

    Returns:
        (cores,) int64 sites, and the figures.
    """
    rows = np.arange(cores)
    if cores <= sites.capacity and not sites.x[rows].any() and not sites.y[rows].any():
        return rows, Placement(method, 0, 0, *(0.0,) * 6)
    samples, ticks = len(run.samples), run.ticks
    try:
        messages = messages_of(run)
    except SnncError:
        # What the program cannot be run with is refused when it is run with it; here any other estimate will do.
        samples, ticks, messages = 0, 0, messages_of(None)
    site = chosen_sites(method, messages, sites, seed)
    figures, figures_by_rows = (_figures(messages, sites, each, max(samples, 1)) for each in (site, rows))
    return site, Placement(method, samples, ticks, *figures, *figures_by_rows)


def chosen_sites(method: PlacementMethod, messages: Messages, sites: Sites, seed: int) -> Array:
    """A site for every core by one of the methods; ``traffic`` gives the places of ``rows`` or far shorter ways."""
    rows = np.arange(messages.cores)
    if method is PlacementMethod.ROWS:
        return rows
    curve = sites.curve[: messages.cores]
    if method is PlacementMethod.CURVE:
        return curve
    if not weighted_hops(messages, sites, rows):
        return rows
    best = _best([*_annealed(messages, sites, seed), curve], messages, sites)
    if np.array_equal(best, rows):
        return rows
    relieved = _relieved(messages, sites, best, seed)
    fits = _is_shorter(messages, sites, relieved, rows)
    lighter = busiest_link(messages, sites, relieved) < busiest_link(messages, sites, best)
    return relieved if fits and lighter else best


def _best(placements: Sequence[Array], messages: Messages, sites: Sites) -> Array:
    """The best of some placements, or row by row if none is worth while, see ``_WORTHWHILE``."""
    rows = np.arange(messages.cores)
    kept = [site for site in placements if _is_shorter(messages, sites, site, rows)]
    best = min([*kept, rows], key=lambda site: weighted_hops(messages, sites, site))
    saves = weighted_hops(messages, sites, best) <= _WORTHWHILE * weighted_hops(messages, sites, rows)
    needed = beyond_reach(messages, sites, best) < beyond_reach(messages, sites, rows)
    return best if saves or needed else rows


def _annealed(messages: Messages, sites: Sites, seed: int) -> list[Array]:
    """Placements found from the better of rows and curve: as many as there is time for, or until one can be kept."""
    rows = np.arange(messages.cores)
    start = min((rows, sites.curve[: messages.cores]), key=lambda site: weighted_hops(messages, sites, site))
    affordable = _EFFORT // max(len(messages.source) // messages.cores, 1)
    moves = min(int(np.clip(_MOVES_A_CORE * messages.cores, *_MOVES)), affordable)
    placements: list[Array] = []
    for number, (prior, heat) in enumerate(zip(_PRIORS, _HEAT, strict=True)):
        if (
            number
            and (number + 1) * moves > affordable
            and _is_shorter(messages, sites, placements[-1], rows)
        ):
            break
        net, grid, spots = _problem(messages, messages.weight(prior), sites, start)
        hot = heat * float(net.sent.sum()) / messages.cores
        anneal(net, grid, spots, moves, hot, _COLD * hot, _state(seed, number))
        placements.append(spots.site)
    return placements


def _relieved(messages: Messages, sites: Sites, start: Array, seed: int) -> Array:
    """The placement with messages taken from the busiest links; ways grow by little."""
    net, grid, spots = _problem(messages, messages.weight(), sites, start)
    length, moves = weighted_hops(messages, sites, start), _MOVES_A_CORE * messages.cores
    if length:
        relieve(net, grid, spots, moves, _RELIEF, _SLACK * length, length, _state(seed, len(_PRIORS)))
    return spots.site


def _state(seed: int, number: int) -> Array:
    """The state of random numbers of one search, never 0."""
    return np.random.default_rng([seed, number]).integers(1, 2**63, 1).astype(np.uint64)


def _problem(messages: Messages, weight: Array, sites: Sites, site: Array) -> tuple[Net, Grid, Spots]:
    """Messages by number or by weight, mesh and a placement as the kernels take them."""
    nodes = messages.cores + 1
    apart = messages.source != messages.target
    source, target, weight = messages.source[apart], messages.target[apart], weight[apart]
    keys = np.concatenate([source * nodes + target, target * nodes + source])
    keys, which = np.unique(keys, return_inverse=True)
    sent, received = which.reshape(2, -1)
    net = Net(
        first=np.searchsorted(keys, np.arange(nodes + 1) * nodes),
        other=keys % nodes,
        sent=np.bincount(sent, weight, len(keys)),
        received=np.bincount(received, weight, len(keys)),
    )
    router = sites.x * sites.height + sites.y
    routers = np.arange(sites.width * sites.height)
    held = np.full((len(routers), sites.capacity), -1)
    held[np.unique(router)] = np.argsort(router, kind="stable").reshape(-1, sites.capacity)
    x, y = np.divmod(routers, sites.height)
    grid = Grid(
        x=x + sites.crossing * (x // sites.chip_width),
        y=y + sites.crossing * (y // sites.chip_height),
        sites=held.ravel(),
        router=router,
        width=sites.width,
        height=sites.height,
        capacity=sites.capacity,
    )
    core = np.full(len(router), -1)
    core[site] = np.arange(messages.cores)
    used = np.bincount(router[site], minlength=len(routers))
    return net, grid, Spots(site.copy(), np.append(router[site], 0), core, used)


def spike_hops(messages: Messages, sites: Sites, site: Array) -> int:
    """Hops of all messages when core k is at ``site[k]``."""
    return int(_lengths(messages, sites, site) @ messages.count)


def weighted_hops(messages: Messages, sites: Sites, site: Array) -> float:
    """What placement makes small: hops, and crossings as so many hops more, by the messages' weights."""
    ways = _lengths(messages, sites, site) + sites.crossing * _borders(messages, sites, site)
    return float(ways @ messages.weight())


def crossings(messages: Messages, sites: Sites, site: Array) -> int:
    """Borders of chips that all messages cross."""
    return int(_borders(messages, sites, site) @ messages.count)


def busiest_link(messages: Messages, sites: Sites, site: Array) -> int:
    """Messages of the link that has most, along x first and then along y."""
    net, grid, spots = _problem(messages, messages.count, sites, site)
    loads = np.zeros(len(grid.x) * 4)
    link_loads(net, grid, spots, loads)
    return round(float(loads.max(initial=0.0)))


def _figures(messages: Messages, sites: Sites, site: Array, samples: int) -> tuple[float, float, float]:
    """Hops, crossings and messages of the busiest link, a sample."""
    totals = (
        spike_hops(messages, sites, site),
        crossings(messages, sites, site),
        busiest_link(messages, sites, site),
    )
    return totals[0] / samples, totals[1] / samples, totals[2] / samples


def _ends(messages: Messages, sites: Sites, site: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Columns and rows of where messages come from and go to."""
    x, y = np.append(sites.x[site], 0), np.append(sites.y[site], 0)
    return (x[messages.source], y[messages.source]), (x[messages.target], y[messages.target])


def _lengths(messages: Messages, sites: Sites, site: Array) -> Array:
    (x, y), (to_x, to_y) = _ends(messages, sites, site)
    return np.asarray(np.abs(x - to_x) + np.abs(y - to_y))


def _borders(messages: Messages, sites: Sites, site: Array) -> Array:
    """(pairs,) int64 borders of chips on the ways."""
    (x, y), (to_x, to_y) = _ends(messages, sites, site)
    width, height = sites.chip_width, sites.chip_height
    return np.asarray(np.abs(x // width - to_x // width) + np.abs(y // height - to_y // height))


def _is_shorter(messages: Messages, sites: Sites, site: Array, rows: Array) -> bool:
    """Whether ways are not longer than row by row: in the runs, and if all neurons fired alike, as others may fire."""
    new, old = _lengths(messages, sites, site), _lengths(messages, sites, rows)
    fits = beyond_reach(messages, sites, site) <= beyond_reach(messages, sites, rows)
    shorter = new @ messages.count <= old @ messages.count and new @ messages.routes <= old @ messages.routes
    return bool(fits and shorter)


def beyond_reach(messages: Messages, sites: Sites, site: Array) -> int:
    """Pairs of cores, without the host, that are further apart than messages may go."""
    if sites.reach is None:
        return 0
    (x, y), (to_x, to_y) = _ends(messages, sites, site)
    far = np.maximum(np.abs(x - to_x), np.abs(y - to_y)) > sites.reach
    return int(np.count_nonzero(far & (messages.source < messages.cores)))
