"""Real PostgreSQL and Valkey servers: starts, stops, crashes and damaged data."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from assay.errors import MeasureError
from assay.services import running, running_for
from assay.system import ports

ROOT = os.geteuid() == 0


def servers(folder: Path) -> list[psutil.Process]:
    """The processes that have this folder on their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()):
            found.append(process)
    return found


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def remember(url: str) -> None:
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")


def remembered(url: str) -> object:
    return ask(url, "SELECT answer FROM kept")


def slot(folder: Path, number: int = 0) -> Path:
    return folder / "services" / f"slot-{number}"


def test_both_start_answer_and_are_gone_afterwards(cache: Path) -> None:
    with running(["postgres", "redis"]) as urls:
        assert set(urls) == {"DATABASE_URL", "REDIS_URL"}
        assert str(ask(urls["DATABASE_URL"], "SHOW server_version")).startswith("18")
        client = redis.Redis.from_url(urls["REDIS_URL"])
        assert client.set("assay:key", "value")
        client.close()
        started = servers(slot(cache))
        assert {process.name() for process in started} == {"postgres", "valkey-server"}
        owners = {process.uids().effective for process in started}
        assert (0 in owners) is False
        for process in started:
            hosts = {
                c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"
            }
            assert hosts == {"127.0.0.1"}
    assert servers(slot(cache)) == []


def test_nobody_gets_in_without_the_password(cache: Path) -> None:
    with running(["postgres", "redis"]) as urls:
        bare = urls["DATABASE_URL"].partition("@")[2]
        with pytest.raises(psycopg.OperationalError, match="password"):
            ask(f"postgresql://assay:wrong@{bare}", "SELECT 1")
        port = urls["REDIS_URL"].rpartition(":")[2]
        with redis.Redis.from_url(f"redis://127.0.0.1:{port}") as client:
            with pytest.raises(redis.AuthenticationError):
                client.ping()
        password = urls["REDIS_URL"].partition("://:")[2].partition("@")[0]
        shown = " ".join(" ".join(p.cmdline()) for p in servers(slot(cache)))
        assert password not in shown


def test_servers_run_on_the_cores_they_are_given(cache: Path) -> None:
    core = min(os.sched_getaffinity(0))
    with running(["redis"], cores=[core]):
        (server,) = servers(slot(cache))
        assert server.cpu_affinity() == [core]


def test_data_survive_a_restart_and_the_cache_does_not(cache: Path) -> None:
    with running(["postgres", "redis"]) as urls:
        remember(urls["DATABASE_URL"])
        with redis.Redis.from_url(urls["REDIS_URL"]) as client:
            client.set("assay:key", "value")
    with running(["postgres", "redis"]) as urls:
        assert remembered(urls["DATABASE_URL"]) == 42
        with redis.Redis.from_url(urls["REDIS_URL"]) as client:
            assert client.get("assay:key") is None


def test_each_side_has_an_empty_database_of_its_own(cache: Path) -> None:
    needs = ["postgres", "redis"]
    for _ in range(2):  # what the first run leaves is gone in the second
        with running_for(["base", "head"], needs) as services:
            url = services.urls["DATABASE_URL"].removesuffix("postgres")
            names = services.databases["DATABASE_URL"]
            assert list(names) == ["base", "head"]
            for name in names.values():
                remember(url + name)
            assert services.databases["REDIS_URL"] == {"base": "1", "head": "2"}
    with running(["postgres"]) as urls:
        with pytest.raises(psycopg.errors.UndefinedTable):
            remembered(urls["DATABASE_URL"])


def test_a_given_url_has_no_database_for_each_side(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(["redis"]) as urls:
        monkeypatch.setenv("REDIS_URL", urls["REDIS_URL"])
        with running_for(["base", "head"], ["redis"]) as services:
            assert services.urls == urls and services.databases == {}


def test_a_second_assay_at_the_same_time_takes_another_slot(cache: Path) -> None:
    with running(["postgres"]) as first:
        remember(first["DATABASE_URL"])
        with running(["postgres"]) as second:
            assert first["DATABASE_URL"] != second["DATABASE_URL"]
            with pytest.raises(psycopg.errors.UndefinedTable):
                remembered(second["DATABASE_URL"])
        assert remembered(first["DATABASE_URL"]) == 42
    assert slot(cache, 1).is_dir()


def test_a_client_that_stays_does_not_hold_up_the_end(cache: Path) -> None:
    with running(["postgres"]) as urls:
        psycopg.connect(urls["DATABASE_URL"])
    assert (
        "received fast shutdown request" in (slot(cache) / "postgres.log").read_text()
    )
    assert servers(slot(cache)) == []


def test_a_process_id_left_behind_that_is_now_a_strangers(cache: Path) -> None:
    with running(["postgres"]) as urls:
        remember(urls["DATABASE_URL"])
    (data,) = slot(cache).glob("postgres-18")
    (data / "postmaster.pid").write_text(f"{os.getppid()}\n{data}\n1\n5432\n\n\n")
    with running(["postgres"]) as urls:
        assert remembered(urls["DATABASE_URL"]) == 42


def test_an_initdb_that_was_killed_halfway(cache: Path) -> None:
    with running(["redis"]):
        half = slot(cache) / "postgres-18.part"
        half.mkdir()
        (half / "PG_VERSION").write_text("18\n")
    with running(["postgres"]) as urls:
        assert ask(urls["DATABASE_URL"], "SELECT 1") == 1
    assert not half.exists()


def test_data_that_are_damaged_are_made_anew(cache: Path) -> None:
    with running(["postgres"]):
        pass
    (slot(cache) / "postgres-18" / "global" / "pg_control").write_bytes(b"")
    with running(["postgres"]) as urls:
        assert ask(urls["DATABASE_URL"], "SELECT 1") == 1


def test_servers_of_an_assay_that_was_killed_a_moment_ago(cache: Path) -> None:
    # Without a guard, so that only the successor can end them.
    program = (
        "import time\n"
        "from assay.services import running\n"
        "with running(['postgres', 'redis']) as urls:\n"
        "    print(urls['DATABASE_URL'], flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as predecessor:
        assert predecessor.stdout
        old_url = predecessor.stdout.readline().strip()
        remember(old_url)
        session = psycopg.connect(old_url)
        predecessor.send_signal(signal.SIGKILL)
    left = servers(slot(cache))
    assert len(left) == 2
    with running(["postgres", "redis"]) as urls:
        assert remembered(urls["DATABASE_URL"]) == 42
        assert not {process.pid for process in servers(slot(cache))} & {
            process.pid for process in left
        }
    session.close()


def test_a_program_that_was_cut_off_is_copied_again(cache: Path) -> None:
    if not ROOT:
        pytest.skip("only root copies the programs")
    with running(["redis"]):
        pass
    (server,) = (cache / "services" / "programs").rglob("valkey-server")
    server.write_bytes(b"\x7fELF")
    with running(["redis"]) as urls:
        with redis.Redis.from_url(urls["REDIS_URL"]) as client:
            assert client.ping()


def test_a_given_url_is_used_and_nothing_is_started(
    cache: Path, services: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, url in services.items():
        monkeypatch.setenv(variable, url)
    with running(["postgres", "redis"]) as urls:
        assert urls == services
    assert list(cache.iterdir()) == []


def test_a_given_url_that_does_not_answer_starts_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = ports.free()
    monkeypatch.setenv("REDIS_URL", f"redis://:hidden@127.0.0.1:{port}/0")
    with pytest.raises(MeasureError, match=r"REDIS_URL redis://:\*\*\*@"):
        with running(["postgres", "redis"]):
            pass
    assert servers(slot(cache)) == []


def test_a_server_that_cannot_start_shows_its_last_words(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "free", lambda: 70_000)
    with pytest.raises(MeasureError, match="(?s)valkey-server: did not start.*port"):
        with running(["redis"]):
            pass


@pytest.mark.skipif(not ROOT, reason="the other tests are it, then")
def test_an_ordinary_user_needs_no_copies(cache: Path) -> None:
    """Start both servers in a child process that has become an ordinary user."""
    os.chown(cache, 65534, 65534)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with running(["postgres", "redis"]) as urls:
                fine = ask(urls["DATABASE_URL"], "SELECT 1") == 1
            private = (slot(cache).stat().st_mode & 0o077) == 0
            copied = (cache / "services" / "programs").exists()
            code = 0 if fine and private and not copied else 2
        except MeasureError as error:
            # The environment may lie where only root can read it.
            code = 77 if "Permission denied" in str(error) else 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 77:
        pytest.skip("this environment's files are for root alone")
    assert code == 0


def test_the_guard_ends_servers_of_a_killed_assay(cache: Path) -> None:
    program = (
        "import os, signal\n"
        "from assay.system import processes\n"
        "from assay.services import running\n"
        "with processes.guarded(), running(['postgres', 'redis']):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while servers(slot(cache)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert servers(slot(cache)) == []
