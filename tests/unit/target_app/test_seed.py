import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from target_app import seed
from target_app.services.orders import ORDER_COUNT
from target_app.services.sales import MONTHS, first_day


def test_rows_are_the_same_every_time() -> None:
    assert list(seed.users()) == list(seed.users())
    assert list(seed.orders()) == list(seed.orders())


def test_all_users_have_orders_and_all_months_the_same_number() -> None:
    rows = list(seed.orders())
    assert len(rows) == ORDER_COUNT == 200_000
    per_user = Counter(row[1] for row in rows)
    assert set(per_user) == set(range(1, seed.USERS + 1))
    assert set(per_user.values()) == {ORDER_COUNT // seed.USERS}
    for month in range(MONTHS):
        start, end = first_day(month).isoformat(), first_day(month + 1).isoformat()
        placed = sum(1 for row in rows if start <= str(row[4]) < end)
        assert placed == 10_000


def test_a_month_has_every_status() -> None:
    first = [row for row in seed.orders() if str(row[4]) < first_day(1).isoformat()]
    assert len({row[2] for row in first}) == 4


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed fewer rows; the tests are about how they are written."""
    monkeypatch.setattr(seed, "ORDER_COUNT", 200)
    monkeypatch.setattr(seed, "_ORDERS_PER_MONTH", 10)
    monkeypatch.setattr(seed, "USERS", 40)


@pytest.mark.usefixtures("small")
def test_sqlite_is_seeded_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "shop.sqlite3"
    assert seed.seed_sqlite(path)
    before = path.read_bytes()
    assert not seed.seed_sqlite(path)
    assert path.read_bytes() == before
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM orders").fetchone() == (200,)
        assert file.execute("SELECT * FROM users WHERE id = 3").fetchone() == (
            3,
            "user3@example.com",
            "User Number 3",
            1,
            "2024-01-04",
        )
    file.close()
    assert [entry.name for entry in path.parent.iterdir()] == ["shop.sqlite3"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("content", [b"", b"not a database"])
def test_a_file_that_is_not_a_database_is_replaced(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "shop.sqlite3"
    path.write_bytes(content)
    assert seed.seed_sqlite(path)
    assert not seed.seed_sqlite(path)


@pytest.mark.usefixtures("small")
def test_rows_of_another_version_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.sqlite3"
    assert seed.seed_sqlite(path)
    monkeypatch.setattr(seed, "VERSION", seed.VERSION + 1)
    assert seed.seed_sqlite(path)


def test_an_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SQLITE_PATH", str(tmp_path / "file" / "shop.sqlite3"))
    with pytest.raises(SystemExit, match="target_app.seed: .*file"):
        seed.main()
