"""Ports that are given out stay free until somebody listens on them."""

import random
import socket
import threading
from pathlib import Path

import pytest

from assay.errors import MeasureError
from assay.system import ports


def test_a_free_port_can_be_taken() -> None:
    with socket.create_server(("127.0.0.1", ports.free())):
        pass


def test_nobody_gets_a_port_that_another_was_given() -> None:
    """Of a thousand ports chosen at random, at least ten pairs would be equal."""
    ports_given: list[int] = []

    def ask() -> None:
        ports_given.extend(ports.free() for _ in range(250))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ports_given)) == len(ports_given) == 1000


def test_no_connection_gets_its_port_from_among_them() -> None:
    kernels = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    assert max(ports.free() for _ in range(100)) < int(kernels.split()[0])


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", ports.free())) as server:
        taken, another = server.getsockname()[1], ports.free()
        monkeypatch.setattr(ports, "_reserved", set())
        monkeypatch.setattr(random.Random, "sample", lambda *_: [taken, another])
        assert ports.free() == another
        with pytest.raises(MeasureError, match="no port of 127.0.0.1 between"):
            ports.free()


def test_what_a_seed_repeats_does_not_depend_on_ports() -> None:
    random.seed(5)
    first = random.random()
    random.seed(5)
    ports.free()
    assert random.random() == first


@pytest.mark.parametrize("first", [1024, 15_200, 60_000])
def test_any_range_of_the_kernel_leaves_some(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_first_ephemeral_port", lambda: first)
    assert 1024 <= ports.free() < 2**16
