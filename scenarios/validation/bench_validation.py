"""Making objects of a schema from rows, with and without validation."""

from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from target_app.practices.response_models import PAGE_SIZE
from target_app.schemas import Contact

ROWS: list[dict[str, Any]] = [
    {"id": n, "email": f"user{n}@example.com", "full_name": f"User Number {n}"}
    for n in range(1, PAGE_SIZE + 1)
]
CONTACTS = [Contact.model_validate(row) for row in ROWS]


def test_validated(benchmark: BenchmarkFixture) -> None:
    """Before: rows that are valid are validated again."""
    contacts = benchmark(lambda: [Contact.model_validate(row) for row in ROWS])
    assert contacts == CONTACTS


def test_constructed(benchmark: BenchmarkFixture) -> None:
    """After: nothing is validated, but Python builds the objects instead of Rust."""
    contacts = benchmark(lambda: [Contact.model_construct(**row) for row in ROWS])
    assert contacts == CONTACTS
