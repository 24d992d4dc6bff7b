"""A list of orders to and from JSON: through dictionaries, and directly."""

import json
from datetime import date

from pydantic import BaseModel
from pytest_benchmark.fixture import BenchmarkFixture


class Order(BaseModel):
    """An order."""

    id: int
    status: str
    total_cents: int
    placed_on: date


class Orders(BaseModel):
    """The body of an answer with orders."""

    orders: list[Order]


ORDERS = Orders(
    orders=[
        Order(id=n, status="paid", total_cents=n * 7, placed_on=date(2024, 1, 1))
        for n in range(100)
    ]
)
TEXT = ORDERS.model_dump_json()


def test_json_loads_then_validate(benchmark: BenchmarkFixture) -> None:
    """Before: the standard library reads, Pydantic validates."""
    orders = benchmark(lambda: Orders.model_validate(json.loads(TEXT)))
    assert orders == ORDERS


def test_model_validate_json(benchmark: BenchmarkFixture) -> None:
    """After: Pydantic does both in one pass."""
    orders = benchmark(Orders.model_validate_json, TEXT)
    assert orders == ORDERS


def test_model_dump_then_json_dumps(benchmark: BenchmarkFixture) -> None:
    """Before: Pydantic makes dictionaries, the standard library writes."""
    text = benchmark(lambda: json.dumps(ORDERS.model_dump(mode="json")))
    assert json.loads(text) == json.loads(TEXT)


def test_model_dump_json(benchmark: BenchmarkFixture) -> None:
    """After: Pydantic writes JSON itself."""
    text = benchmark(ORDERS.model_dump_json)
    assert text == TEXT
