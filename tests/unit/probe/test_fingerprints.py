"""Queries and addresses without the values that they carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.probe.fingerprints import LONGEST, of_address, of_query

SECRET = "hunter2secret"


@pytest.mark.parametrize(
    "statement, fingerprint",
    [
        ("SELECT a FROM t WHERE b = 5", "SELECT a FROM t WHERE b = ?"),
        ("SELECT a\n  FROM t1\n WHERE b = $1", "SELECT a FROM t1 WHERE b = ?"),
        ("select x where a = 'it''s' and b = -1.5e3", "select x where a = ? and b = ?"),
        ("select x where id in (%s, %s, %s)", "select x where id in (?, …)"),
        ("select x where id in (1, 2)", "select x where id in (?, …)"),
        ("select x -- note 7\nfrom t /* 8 */", "select x from t"),
        ("select a::text, :name, %(other)s, $2::UUID", "select a::text, ?, ?, ?"),
        ("insert into t values (?, ?), (?, ?)", "insert into t values (?, …), …"),
        ("select $tag$ body 1 $tag$", "select ?"),
    ],
)
def test_a_query_is_shown_without_its_values(statement: str, fingerprint: str) -> None:
    assert of_query(statement) == fingerprint


@given(st.text(alphabet=st.characters(blacklist_characters="'\\"), max_size=30))
def test_no_text_of_a_literal_is_kept(value: str) -> None:
    statement = f"select a from t where b = '{value}{SECRET}' and c = 1"
    assert of_query(statement) == "select a from t where b = ? and c = ?"


@pytest.mark.parametrize(
    "literal",
    [
        f"'-- {SECRET}'",
        f"'/* {SECRET}' -- '",
        f"'a' /* it's */ || '{SECRET}'",
        f"'it\\'s' || '{SECRET}'",
        f"'{SECRET}",
        f"$x${SECRET}",
        f""""o'clock" || '{SECRET}'""",
    ],
)
def test_no_literal_is_mistaken_for_something_else(literal: str) -> None:
    assert SECRET not in of_query(f"select a where b = {literal} and c = 1")


@given(st.text(max_size=2000))
def test_any_text_has_a_short_fingerprint_on_one_line(statement: str) -> None:
    fingerprint = of_query(statement)
    assert len(fingerprint) <= LONGEST and "\n" not in fingerprint
    assert of_query(statement) == fingerprint


@pytest.mark.parametrize(
    "url, address",
    [
        (
            "http://api.local:8080/users/17/orders?key=1#top",
            "api.local:8080/users/{}/orders",
        ),
        ("https://name:word@host/a/b", "host/a/b"),
        ("http://h/7f3e-99/x", "h/{}/x"),
        ("http://[bad", "?"),
    ],
)
def test_an_address_has_no_user_no_query_and_no_numbers(url: str, address: str) -> None:
    assert of_address(url) == address


@given(st.text(max_size=200))
def test_any_address_is_taken(url: str) -> None:
    assert len(of_address(f"http://host/{url}")) <= LONGEST
