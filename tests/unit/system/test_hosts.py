"""Only this machine, and what the user names, may be loaded."""

import pytest

from assay.system import hosts


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://127.8.8.8",
        "http://localhost/path",
        "http://LOCALHOST:1",
        "http://shop.localhost:8000",
        "http://[::1]:8000",
        "http://0.0.0.0:8000",
        "http://user:pass@127.0.0.1/",
        "",
        "/path/alone",
        "http://[broken",
    ],
)
def test_this_machine_may_be_loaded(url: str) -> None:
    assert hosts.refused(url, ()) == hosts.refusal(url, ()) == ""


@pytest.mark.parametrize(
    "url, host",
    [
        ("https://shop.invalid", "shop.invalid"),
        ("https://u:p@SHOP.invalid:8443/x", "shop.invalid"),
        ("http://192.0.2.1:80", "192.0.2.1"),
        ("http://[2001:db8::1]", "2001:db8::1"),
        ("http://127.0.0.1.invalid", "127.0.0.1.invalid"),
        ("http://localhost.invalid", "localhost.invalid"),
    ],
)
def test_another_machine_must_be_named(url: str, host: str) -> None:
    assert hosts.refused(url, ("other.invalid",)) == host
    assert f"--allow-host {host}" in hosts.refusal(url, ())
    assert "u:p" not in hosts.refusal(url, ())
    assert hosts.refused(url, ("x", host.upper())) == ""


def test_a_pattern_names_many() -> None:
    assert hosts.refused("https://a.test.invalid", ("*.test.invalid",)) == ""
    assert hosts.refused("https://test.invalid.com", ("*.test.invalid",))
