"""Long series of parts or copies are one row, and nothing is lost or counted twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snnc.report.series import sums_together, uses_together
from snnc.report.tables import usage_table
from snnc.targets.target import LayerUse, LimitUse, Usage


def layer(name: str, number: int = 1, group: str | None = None) -> LayerUse:
    uses = (LimitUse("axons", number, 256), LimitUse("neurons", 256 - number, 256))
    return LayerUse(name, number, 10 * number, 1, uses, group)


def test_parts_of_a_sum_are_one_row() -> None:
    relays = [(f"fc1.part{n}.relays", "fc1.part*.relays") for n in range(1, 13)]
    copies = [(f"fc2.copy{n}", "fc2.copy*") for n in (1, 2)]
    members = [("in", None), *relays, ("fc1", None), *copies]
    layers = uses_together([layer(name, 1 + at, group) for at, (name, group) in enumerate(members)])
    assert [row.name for row in layers] == ["in", "fc1.part*.relays (12)", "fc1", "fc2.copy1", "fc2.copy2"]
    parts = layers[1]
    assert (parts.neurons, parts.cores) == (sum(range(2, 14)), 12)
    assert {use.limit: use.used for use in parts.limits} == {"axons": 13, "neurons": 254}


def test_layers_that_the_model_numbers_stay_apart() -> None:
    names = [f"features.part{n}" for n in range(8)]
    assert [row.name for row in uses_together(map(layer, names))] == names


@given(st.lists(st.tuples(st.integers(0, 10**6), st.none() | st.sampled_from(["a*", "b*"])), max_size=20))
def test_nothing_is_lost(members: list[tuple[int, str | None]]) -> None:
    layers = [layer(f"p{at}", number, group) for at, (number, group) in enumerate(members)]
    values = {use.name: float(use.neurons) for use in layers}
    groups = {use.name: use.group for use in layers if use.group is not None}
    assert sum(sums_together(values, groups).values()) == sum(values.values())
    assert sum(row.neurons for row in uses_together(layers)) == sum(use.neurons for use in layers)


def test_layers_without_limits() -> None:
    layers = tuple(LayerUse(f"x.copy{n}", 1, 1, 1, (), "x.copy*") for n in range(5))
    table = usage_table(Usage("none", 5, 1, 5, 5, layers))
    assert [row[0] for row in table.rows] == ["x.copy* (5)", "total"]
