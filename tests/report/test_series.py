"""Long series of parts or copies are one row, and nothing is lost or counted twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snnc.report.series import sums_together, uses_together
from snnc.report.tables import usage_table
from snnc.targets.target import LayerUse, LimitUse, Usage


def layer(name: str, number: int = 1) -> LayerUse:
    uses = (LimitUse("axons", number, 256), LimitUse("neurons", 256 - number, 256))
    return LayerUse(name, number, 10 * number, 1, uses)


def test_parts_of_a_sum_are_one_row() -> None:
    names = ["in", *(f"fc1.part{n}.relays" for n in range(1, 13)), "fc1", "fc2.copy1", "fc2.copy2"]
    layers = uses_together([layer(name, 1 + at) for at, name in enumerate(names)])
    assert [one.name for one in layers] == ["in", "fc1.part*.relays (12)", "fc1", "fc2.copy1", "fc2.copy2"]
    parts = layers[1]
    assert (parts.neurons, parts.cores) == (sum(range(2, 14)), 12)
    assert {use.limit: use.used for use in parts.limits} == {"axons": 13, "neurons": 254}


def test_layers_that_the_model_numbers_stay_apart() -> None:
    names = [f"features.conv{n}" for n in range(8)]
    assert [one.name for one in uses_together(map(layer, names))] == names


@given(st.lists(st.sampled_from(["a.part{}.relays", "a.copy{}", "b.sum{}.relays", "c{}"]), max_size=20))
def test_nothing_is_lost(patterns: list[str]) -> None:
    values = {pattern.format(number): 2.0**number for number, pattern in enumerate(patterns)}
    assert sum(sums_together(values).values()) == sum(values.values())
    layers = tuple(layer(name, int(value)) for name, value in values.items())
    assert sum(one.neurons for one in uses_together(layers)) == sum(one.neurons for one in layers)


def test_layers_without_limits() -> None:
    layers = tuple(LayerUse(f"x.copy{n}", 1, 1, 1, ()) for n in range(5))
    table = usage_table(Usage("none", 5, 1, 5, 5, layers))
    assert [row[0] for row in table.rows] == ["x.copy* (5)", "total"]
