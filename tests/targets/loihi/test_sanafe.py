"""Energy and step times next to SANA-FE 2.2.9, whose runs ``data/make_sanafe_golden.py`` recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dense_programs import Connection, layer, program

from snnc.graph.operators.base import Array
from snnc.targets.costs import cost_set_named
from snnc.targets.loihi.timing import simulate_with_costs

GOLDEN = np.load(Path(__file__).parent / "data" / "sanafe_golden.npz")
NETWORKS = sorted({name.split("/")[0] for name in GOLDEN.files})


def on_this_mesh(core: int) -> int:
    """SANA-FE numbers its 8 x 4 tiles column by column, snnc row by row."""
    tile, inner = divmod(core, 4)
    x, y = divmod(tile, 4)
    return (y * 8 + x) * 4 + inner


@pytest.mark.parametrize("number", NETWORKS)
@pytest.mark.parametrize("detailed", [True, False])
def test_energy_and_step_times_are_those_of_sanafe(number: str, detailed: bool) -> None:
    """Spikes equal; energy to 0.1 % (SANA-FE's neurons are active, too, where what arrives adds up to 0).

    An extra tick follows, since snnc reads no synapses for ticks behind the last. Times: SANA-FE's ``simple`` model
    leaves out that a message takes its time to the target, its ``detailed`` one slows messages down by how many are
    on their way anywhere along theirs, while snnc has queues of cores and links only.
    """
    found: dict[str, Array] = {
        name.split("/")[1]: GOLDEN[name] for name in GOLDEN.files if name.startswith(f"{number}/")
    }
    cores = [on_this_mesh(int(core)) for core in found["places"]]
    cells = layer("lif", len(found["threshold"]), threshold=found["threshold"], tiles=len(cores))
    weights = [Connection(0, 1, found["into"].astype(int)), Connection(1, 1, found["among"].astype(int))]
    chip = program([layer("in", 8, source="source"), cells], weights)
    chip = replace(
        chip, tiles=tuple(replace(tile, core=core) for tile, core in zip(chip.tiles, cores, strict=True))
    )
    steps = len(found["spikes"])
    x = np.concatenate([found["spikes"], np.zeros((1, 8), bool)])[None].astype(np.float32)
    run = simulate_with_costs(
        chip, x, steps + 1, cost_set_named("sanafe-loihi"), record=("spikes",), detailed=detailed
    )
    np.testing.assert_array_equal(run.trace.spikes["lif"][0, :steps], found["fired"])
    joules = np.einsum("kut,k->t", run.costs.events, run.costs.picojoules)[:steps].sum() * 1e-12
    assert joules == pytest.approx(float(found["joules"]), rel=1e-3)
    times = run.costs.nanoseconds[0, :steps] * 1e-9
    assert times[0] == pytest.approx(found["detailed"][0], rel=1e-12)
    ratio = times / found["simple"]
    assert ratio.min() > 0.99 and ratio.max() < 1.12
    assert times.sum() == pytest.approx(found["detailed"].sum(), rel=0.05 if len(cores) < 64 else 0.12)
