"""Rows, read into the service's own schemas."""

from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from target_app.practices.response_models import SIZE
from target_app.schemas import Contact

ROWS: list[dict[str, Any]] = [
    {"id": n, "email": f"user{n}@example.com", "full_name": f"User Number {n}"}
    for n in range(1, SIZE + 1)
]
FOUND = [Contact.model_validate(row) for row in ROWS]


def test_validated(benchmark: BenchmarkFixture) -> None:
    """Before: rows that are known to be right are validated all the same."""
    found = benchmark(lambda: [Contact.model_validate(row) for row in ROWS])
    assert found == FOUND


def test_constructed(benchmark: BenchmarkFixture) -> None:
    """After, supposedly: nothing is validated; but Python does what Rust did."""
    found = benchmark(lambda: [Contact.model_construct(**row) for row in ROWS])
    assert found == FOUND
