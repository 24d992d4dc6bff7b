import threading

import psycopg
import pytest

from target_app import seed
from target_app.core.config import Settings


def rows(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    assert settings.database_url
    with psycopg.connect(settings.database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_there_is_nothing_to_do_the_second_time(seeded: Settings) -> None:
    assert not seed.seed_postgres(seeded)
    assert not seed.seed_sqlite(seeded.sqlite_path)


def test_the_rows_are_there(seeded: Settings) -> None:
    assert rows(seeded, "SELECT count(*) FROM assay.orders") == [(200_000,)]
    assert rows(seeded, "SELECT count(*) FROM assay.users") == [(40_000,)]
    plan = rows(seeded, "EXPLAIN SELECT * FROM assay.orders WHERE user_id = 7")
    assert "Index" in str(plan)


def test_two_seeders_at_once_make_the_rows_once(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed, "VERSION", seed.VERSION + 1)
    made: list[bool] = []
    seeders = [
        threading.Thread(target=lambda: made.append(seed.seed_postgres(seeded)))
        for _ in range(2)
    ]
    for seeder in seeders:
        seeder.start()
    for seeder in seeders:
        seeder.join()
    assert sorted(made) == [False, True]
    monkeypatch.undo()
    assert seed.seed_postgres(seeded)


def test_what_another_version_has_made_is_no_hindrance(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seeded.database_url
    with psycopg.connect(seeded.database_url) as connection:
        connection.execute(
            "CREATE TABLE assay.later (user_id int REFERENCES assay.users (id))"
        )
    monkeypatch.setattr(seed, "VERSION", seed.VERSION + 1)
    assert seed.seed_postgres(seeded)
    monkeypatch.undo()
    assert seed.seed_postgres(seeded)
    assert rows(seeded, "SELECT to_regclass('assay.later')") == [(None,)]


def test_a_seeder_that_dies_leaves_what_was_there(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies() -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(seed, "VERSION", seed.VERSION + 1)
    monkeypatch.setattr(seed, "TABLES", {"users": dies})
    with pytest.raises(RuntimeError):
        seed.seed_postgres(seeded)
    monkeypatch.undo()
    assert not seed.seed_postgres(seeded)
    assert rows(seeded, "SELECT count(*) FROM assay.users") == [(40_000,)]


def test_the_command_says_what_it_did(
    seeded: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert seeded.database_url
    monkeypatch.setenv("DATABASE_URL", seeded.database_url)
    monkeypatch.setenv("SQLITE_PATH", str(seeded.sqlite_path))
    seed.main()
    said = capsys.readouterr().out
    assert said == "SQLite: the rows exist\nPostgreSQL: the rows exist\n"


def test_an_account_that_may_not_is_told_so_in_one_line(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seeded.database_url
    wrong = seeded.database_url.replace("://assay:", "://stranger:")
    monkeypatch.setenv("DATABASE_URL", wrong)
    monkeypatch.setenv("SQLITE_PATH", str(seeded.sqlite_path))
    with pytest.raises(SystemExit, match="(?s)target_app.seed: .*stranger"):
        seed.main()
