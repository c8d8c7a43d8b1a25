"""Placement of cores on meshes: never longer ways than row by row, sites taken once, the same for the same seed."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from snnc.choices import PlacementMethod
from snnc.errors import MappingError
from snnc.graph.operators.base import Array
from snnc.report.tables import placement_text
from snnc.targets.costs.mesh import Mesh
from snnc.targets.loihi.placement import sites as loihi_sites
from snnc.targets.placement import (
    Messages,
    SampleRun,
    Sites,
    beyond_reach,
    busiest_link,
    chosen_sites,
    crossings,
    curve,
    placed,
    spike_hops,
    weighted_hops,
)
from snnc.targets.truenorth.limits import TrueNorthLimits
from snnc.targets.truenorth.placement import sites as truenorth_sites

SMALL = TrueNorthLimits(mesh=4, distance=7)
"""Chips of sixteen cores, two by two of which are within reach."""


def mesh_of(cores: int, kind: str) -> Sites:
    return loihi_sites(cores) if kind == "loihi" else truenorth_sites(cores, SMALL)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Messages, Sites]:
    """Random messages between a few cores, some of them far from each other in dataflow order, some from the host."""
    cores = draw(st.sampled_from([1, 2, 5, 16, 17, 40, 64, 130]))
    sites = mesh_of(cores, draw(st.sampled_from(["loihi", "truenorth"])))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pairs = draw(st.integers(0, 6 * cores))
    keys = np.unique(random.integers(0, (cores + 1) * cores, pairs))
    largest = draw(st.sampled_from([1, 3, 10**6]))
    count = random.integers(0, largest, len(keys))
    routes = random.integers(1, 300, len(keys))
    return Messages(cores, keys // cores, keys % cores, count, routes), sites


@settings(deadline=None, max_examples=60)
@given(problems(), st.sampled_from(["rows", "curve", "traffic"]), st.integers(0, 3))
def test_every_placement_is_one(problem: tuple[Messages, Sites], method: str, seed: int) -> None:
    messages, sites = problem
    site = chosen_sites(PlacementMethod(method), messages, sites, seed)
    assert len(np.unique(site)) == messages.cores == len(site)
    assert site.min() >= 0 and site.max() < len(sites.x)
    np.testing.assert_array_equal(site, chosen_sites(PlacementMethod(method), messages, sites, seed))
    rows = np.arange(messages.cores)
    if method == "rows":
        np.testing.assert_array_equal(site, rows)
    if method == "traffic":
        assert spike_hops(messages, sites, site) <= spike_hops(messages, sites, rows)
        assert routers(sites, site) <= routers(sites, rows)
        far, before = farthest(messages, sites, site), farthest(messages, sites, rows)
        assert sites.reach is None or far <= sites.reach or before > sites.reach
        if sites.reach is None and not np.array_equal(site, rows):
            # What saves little on the samples of the run might save nothing on others.
            assert weighted_hops(messages, sites, site) <= 0.96 * weighted_hops(messages, sites, rows)


def routers(sites: Sites, site: Array) -> int:
    return len(set(zip(sites.x[site].tolist(), sites.y[site].tolist(), strict=True)))


def farthest(messages: Messages, sites: Sites, site: Array) -> int:
    own = messages.source < messages.cores
    source, target = site[messages.source[own]], site[messages.target[own]]
    steps = [np.abs(axis[source] - axis[target]).max(initial=0) for axis in (sites.x, sites.y)]
    return int(max(steps))


@settings(deadline=None, max_examples=40)
@given(problems(), st.integers(0, 2**32 - 1))
def test_figures_follow_the_routes_of_the_mesh(problem: tuple[Messages, Sites], seed: int) -> None:
    """Hops, crossings and links against ways walked one by one."""
    messages, sites = problem
    site = np.random.default_rng(seed).permutation(len(sites.x))[: messages.cores]
    mesh = Mesh(sites.width, sites.height, 1)
    at = [*zip(sites.x[site].tolist(), sites.y[site].tolist(), strict=True), (0, 0)]
    loads, hops, borders = {}, 0, 0
    for source, target, count in zip(messages.source, messages.target, messages.count, strict=True):
        ends = [at[source], at[target]]
        numbers = [y * sites.width + x for x, y in ends]
        way = mesh.route(*numbers)
        hops += int(count) * len(way)
        chips = [(x // sites.chip_width, y // sites.chip_height) for x, y in ends]
        borders += int(count) * (abs(chips[0][0] - chips[1][0]) + abs(chips[0][1] - chips[1][1]))
        for link in way:
            loads[link] = loads.get(link, 0) + int(count)
    assert spike_hops(messages, sites, site) == hops
    assert crossings(messages, sites, site) == borders
    assert busiest_link(messages, sites, site) == max(loads.values(), default=0)
    assert weighted_hops(messages, sites, site) >= hops


@pytest.mark.parametrize(("steps", "far"), [(6, 0), (7, 0), (8, 1)])
def test_a_message_goes_as_far_as_the_reach_and_no_further(steps: int, far: int) -> None:
    """A reach of 7: seven columns or rows are near, eight are not; the host's messages may come from anywhere."""
    x, y = np.divmod(np.arange(81), 9)
    sites = Sites(x, y, np.arange(81), 1, 9, 9, 0.0, reach=7)
    for axis, other in ((sites.x, sites.y), (sites.y, sites.x)):
        (start,), (end,) = (np.flatnonzero((axis == at) & (other == 0)) for at in (0, steps))
        one = np.ones(1, np.int64)
        for source, found in ((0, far), (2, 0)):
            messages = Messages(2, source * one, one, one, one)
            assert beyond_reach(messages, sites, np.array([start, end])) == found


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 1), (1, 4), (8, 4), (3, 7), (40, 4), (64, 64)])
def test_the_curve_goes_through_every_router(width: int, height: int) -> None:
    way = curve(width, height)
    assert sorted(map(tuple, way.tolist())) == [(x, y) for x in range(width) for y in range(height)]
    steps = np.abs(np.diff(way, axis=0))
    assert steps.max(initial=0) <= 1
    if width % 2 == height % 2 == 0:
        assert steps.sum(axis=1).max(initial=0) <= 1


def pipeline(cores: int, layers: int) -> Messages:
    """Layers of as many cores, each core of which sends to those near its place in the next layer."""
    width = cores // layers
    source = np.repeat(np.arange(cores - width), 3)
    near = np.tile([-1, 0, 1], cores - width) + source % width
    target = (source // width + 1) * width + np.clip(near, 0, width - 1)
    count = np.full(len(source), 100)
    return Messages(cores, source, target, count, count)


@pytest.mark.parametrize(("kind", "cores", "share"), [("loihi", 60, 0.5), ("truenorth", 60, 0.5)])
def test_layers_of_windows_come_near_each_other(kind: str, cores: int, share: float) -> None:
    messages, sites = pipeline(cores, 5), mesh_of(cores, kind)
    rows = np.arange(cores)
    site = chosen_sites(PlacementMethod.TRAFFIC, messages, sites, 0)
    assert spike_hops(messages, sites, site) <= share * spike_hops(messages, sites, rows)
    assert busiest_link(messages, sites, site) <= busiest_link(messages, sites, rows)


def test_chips_are_crossed_less() -> None:
    """Two networks that know nothing of each other, their cores in turn: each has a chip of its own."""
    cores = 256
    source = np.arange(cores - 2)
    count = np.full(cores - 2, 10)
    messages, sites = Messages(cores, source, source + 2, count, count), mesh_of(cores, "loihi")
    site = chosen_sites(PlacementMethod.TRAFFIC, messages, sites, 0)
    assert crossings(messages, sites, site) <= crossings(messages, sites, np.arange(cores))


def test_cores_that_are_silent_in_the_runs_are_placed_by_their_routes() -> None:
    messages, sites = pipeline(60, 5), mesh_of(60, "loihi")
    silent = Messages(60, messages.source, messages.target, 0 * messages.count, messages.routes)
    site = chosen_sites(PlacementMethod.TRAFFIC, silent, sites, 0)
    assert spike_hops(messages, sites, site) < spike_hops(messages, sites, np.arange(60))


def test_a_program_that_cannot_be_run_is_placed_by_its_routes() -> None:
    messages, sites = pipeline(60, 5), mesh_of(60, "loihi")

    def messages_of(run: SampleRun | None) -> Messages:
        if run is not None:
            raise MappingError("T451", "the host gives a current that no bias register holds")
        return messages

    run = SampleRun(np.zeros((3, 1), np.float32), 16)
    site, found = placed(PlacementMethod.TRAFFIC, run, sites, 60, messages_of, 0)
    assert (found.samples, found.ticks) == (0, 0)
    assert found.spike_hops == spike_hops(messages, sites, site) < found.spike_hops_rows
    assert "if every neuron fired once" in placement_text(found)
