"""Orders to a Locust process arrive unchanged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load import orders
from assay.load.arrivals import Part, split
from assay.load.orders import (
    Attach,
    Begin,
    Detach,
    Finish,
    Grow,
    RunLoad,
    RunSlice,
    Stop,
)
from assay.load.shapes import Shape
from tests.unit.load.test_shapes import drawn

RAMP = Shape((0.0, 2.0), (5.0, 50.0))


@pytest.mark.parametrize(
    "order",
    [
        Grow(8, 30.0),
        Detach(),
        Begin(),
        Stop(),
        Finish(),
        RunSlice("a", "touch"),
        RunSlice("a", "closed", 0.0125, 4, seed=7, think_time=True),
        RunSlice("a", "open", 0.02, rate=500.0, shape=RAMP, drain=0.5),
        RunSlice("a", "closed", 1.0, 1, learns=True, request="GET /plans"),
        RunLoad("target", shape=RAMP, schedule="even", part=Part((0, 2), 5)),
        RunLoad("target", users=20, spawn_rate=2.5, iterations=100, final=False),
        RunLoad("target", users=20, user_shape=RAMP, part=Part((1,), 2)),
    ],
)
def test_an_order_arrives_as_it_was_said(order: orders.Order) -> None:
    said = json.loads(json.dumps(orders.message(order)))
    assert orders.parse(said) == order


def test_users_are_ordered_with_what_their_listeners_find() -> None:
    order = Attach({"a": "http://here"}, 2, 8, 30.0, {"a": [1]}, settings={"x": 1})
    found = orders.parse(json.loads(json.dumps(orders.message(order))))
    assert isinstance(found, Attach)
    assert (found.hosts, found.users, found.max_users) == ({"a": "http://here"}, 2, 8)
    assert found.processes == {"a": [1]} and found.settings == {"x": 1}


@pytest.mark.parametrize("said", [{}, {"do": "dance"}])
def test_what_is_no_order_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no order"):
        orders.parse(said)


@given(drawn(), st.lists(st.integers(1, 9), min_size=1, max_size=5), st.floats(0, 1))
def test_the_users_of_all_workers_are_those_of_the_stages(
    shape: Shape, speeds: list[int], share: float
) -> None:
    at = share * shape.duration
    users = [
        RunLoad("target", user_shape=shape, part=part).users_at(at)
        for part in split(speeds)
    ]
    assert abs(sum(users) - shape.rate(at)) <= 0.5
