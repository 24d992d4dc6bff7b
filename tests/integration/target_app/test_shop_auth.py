"""Who may do what in the shop, for how long, and how often."""

import asyncio
import time
from typing import Any

import httpx
import jwt
import pytest

from target_app.core.config import Settings
from target_app.core.errors import ConfigurationError
from target_app.main import create_app
from tests.integration.target_app.asgi import Story, with_target
from tests.integration.target_app.shopping import (
    KEYS,
    PASSWORD,
    logged_in,
    me,
    renewed,
    signed_up,
)

pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.mark.parametrize("way", ["legacy", "optimised"])
def test_a_refresh_token_is_used_once_and_its_family_ends_with_a_replay(
    way: str, store: Settings
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        first = await logged_in(client, await signed_up(client))
        second = (await renewed(client, first["refresh_token"])).json()
        assert (await me(client, second["access_token"])).status_code == 200
        # Somebody who has stolen the first refresh token uses it again.
        assert (await renewed(client, first["refresh_token"])).status_code == 401
        assert (await renewed(client, second["refresh_token"])).status_code == 401
        for pair in (first, second):
            assert (await me(client, pair["access_token"])).status_code == 401

    with_target(store.model_copy(update={"features": way}), story)


@pytest.mark.parametrize("way", ["legacy", "optimised"])
def test_logging_out_ends_both_tokens(way: str, store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        pair = await logged_in(client, await signed_up(client))
        form = {"refresh_token": pair["refresh_token"]}
        assert (await client.post("/api/v1/auth/logout", json=form)).status_code == 204
        assert (await me(client, pair["access_token"])).status_code == 401
        assert (await client.post("/api/v1/auth/refresh", json=form)).status_code == 401

    with_target(store.model_copy(update={"features": way}), story)


@pytest.mark.parametrize("way", ["legacy", "optimised"])
def test_access_tokens_expire(way: str, store: Settings) -> None:
    short = store.model_copy(update={"features": way, "access_seconds": 3})

    async def story(client: httpx.AsyncClient) -> None:
        pair = await logged_in(client, await signed_up(client))
        assert (await me(client, pair["access_token"])).status_code == 200
        await asyncio.sleep(3.1)
        assert (await me(client, pair["access_token"])).status_code == 401

    with_target(short, story)


@pytest.mark.parametrize("way", ["legacy", "optimised"])
def test_refresh_tokens_expire(way: str, store: Settings) -> None:
    short = store.model_copy(update={"features": way, "refresh_seconds": 1})

    async def story(client: httpx.AsyncClient) -> None:
        pair = await logged_in(client, await signed_up(client))
        await asyncio.sleep(1.1)
        late = await renewed(client, pair["refresh_token"])
        assert late.status_code == 401
        assert "access_token" not in late.text

    with_target(short, story)


def test_of_two_that_renew_at_once_only_one_can(store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        pair = await logged_in(client, await signed_up(client))
        answers = await asyncio.gather(
            *(renewed(client, pair["refresh_token"]) for _ in range(8))
        )
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [200] + [401] * 7

    with_target(store, story)


def test_keys_can_be_changed_while_old_tokens_live(store: Settings) -> None:
    tokens: list[str] = []

    async def before(client: httpx.AsyncClient) -> None:
        pair = await logged_in(client, await signed_up(client))
        tokens.append(pair["access_token"])
        assert jwt.get_unverified_header(tokens[0])["kid"] == "old"

    def afterwards(expected: int) -> Story:
        async def story(client: httpx.AsyncClient) -> None:
            assert (await me(client, tokens[0])).status_code == expected

        return story

    with_target(store.model_copy(update={"current_key": "old"}), before)
    with_target(store, afterwards(200))
    gone = {"secret_keys": {"new": store.secret_keys["new"]}}
    with_target(store.model_copy(update=gone), afterwards(401))


def forged(**changes: Any) -> str:
    now = int(time.time())
    claims = {"sub": "1", "iat": now, "exp": now + 60, "jti": "x", "use": "access"}
    claims |= {"fam": "f", **changes.pop("claims", {})}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(
        claims,
        changes.get("key", KEYS["new"]),
        changes.get("algorithm", "HS256"),
        headers={"kid": "new", **changes.get("headers", {})},
    )


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        forged(key="x" * 64),
        forged(key="", algorithm="none"),
        forged(algorithm="HS512"),
        forged(headers={"kid": "nobody's"}),
        forged(claims={"exp": 1}),
        forged(claims={"exp": None}),
        forged(claims={"long": "x" * 5000}),
        forged().rpartition(".")[0] + ".",
        forged(claims={"sub": None}),
        forged(claims={"use": "refresh"}),
        forged(claims={"sub": "999999999"}),
    ],
)
def test_tokens_of_others_are_refused(token: str, store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await me(client, token)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["message"] == "Not authenticated"

    with_target(store, story)


def test_an_address_is_locked_out_after_some_failures(store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        email, other = await signed_up(client), await signed_up(client)
        wrong = {"email": email, "password": "Wrong-password-1"}
        codes = [
            (await client.post("/api/v1/auth/login", json=wrong)).status_code
            for _ in range(store.login_attempts + 1)
        ]
        assert codes == [401] * store.login_attempts + [429]
        right = {"email": email, "password": PASSWORD}
        locked = await client.post("/api/v1/auth/login", json=right)
        assert locked.status_code == 429
        retry = locked.json()["error"]["data"]["retry_after"]
        assert 0 < retry <= store.lockout_seconds
        await logged_in(client, other)

    with_target(store, story)


def test_many_at_once_are_locked_out_no_later(store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        wrong = {"email": await signed_up(client), "password": "Wrong-password-1"}
        answers = await asyncio.gather(
            *(client.post("/api/v1/auth/login", json=wrong) for _ in range(12))
        )
        codes = [answer.status_code for answer in answers]
        assert codes.count(401) == store.login_attempts
        assert codes.count(429) == 12 - store.login_attempts

    with_target(store, story)


def test_a_lock_out_ends_though_somebody_goes_on_trying(store: Settings) -> None:
    brief = store.model_copy(update={"login_attempts": 1, "lockout_seconds": 2})

    async def story(client: httpx.AsyncClient) -> None:
        email = await signed_up(client)
        wrong = {"email": email, "password": "Wrong-password-1"}
        begun = time.monotonic()
        last = await client.post("/api/v1/auth/login", json=wrong)
        assert last.status_code == 401
        while last.status_code != 401 or time.monotonic() - begun < 1:
            last = await client.post("/api/v1/auth/login", json=wrong)
            if last.status_code == 429:
                assert int(last.headers["retry-after"]) <= 2
            assert time.monotonic() - begun < 30, "it never ends"
            await asyncio.sleep(0.2)

    with_target(brief, story)


def test_a_success_forgets_the_failures_before_it(store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        email = await signed_up(client)
        wrong = {"email": email, "password": "Wrong-password-1"}
        for _ in range(2):
            for _ in range(store.login_attempts - 1):
                answer = await client.post("/api/v1/auth/login", json=wrong)
                assert answer.status_code == 401
            await logged_in(client, email)

    with_target(store, story)


def test_whoever_asks_too_often_has_to_wait(store: Settings) -> None:
    few = store.model_copy(update={"requests_per_minute": 5})

    async def story(client: httpx.AsyncClient) -> None:
        answers = [await client.get("/api/v1/items?limit=1") for _ in range(12)]
        codes = [answer.status_code for answer in answers]
        # A new minute can begin in between, at most once.
        assert codes[:5] == [200] * 5 and 429 in codes
        refused = answers[codes.index(429)]
        wait = refused.json()["error"]["data"]["retry_after"]
        assert 0 < wait <= 60 and refused.headers["retry-after"] == str(wait)

    with_target(few, story)


def test_weak_passwords_and_taken_addresses_are_refused(store: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        email = await signed_up(client)
        for password in ("short-1A", "no-digit-Here", "no-capital-1", "Aa1"):
            form = {"email": "x@y.zz", "full_name": "Xx", "password": password}
            answer = await client.post("/api/v1/users", json=form)
            if password != "short-1A":  # eight characters are enough
                assert answer.status_code == 422, password
        form = {"email": email.upper(), "full_name": "Xx", "password": PASSWORD}
        assert (await client.post("/api/v1/users", json=form)).status_code == 409

    with_target(store, story)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"secret_keys": {"new": "short"}}, "SECRET_KEYS"),
        ({"current_key": "nobody's"}, "CURRENT_KEY"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_at_start(
    changes: dict[str, Any], said: str, store: Settings
) -> None:
    wrong = Settings.model_validate({**store.model_dump(), **changes})
    with pytest.raises(ConfigurationError, match=said) as caught:
        create_app(wrong)
    assert "short" not in str(caught.value)
