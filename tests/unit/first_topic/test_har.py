import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.first_topic.har import journey
from assay.first_topic.har.recording import Recording, read
from assay.first_topic.locustfile import Journey, render

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def entry(
    method: str = "GET",
    url: str = "http://shop/",
    *,
    sent: Any = None,
    kind: str = "application/json",
    answer: Any = None,
    headers: dict[str, str] | None = None,
    answered: dict[str, str] | None = None,
    status: int = 200,
) -> dict[str, Any]:
    """Return one entry of a recording, without `_resourceType`."""
    made: dict[str, Any] = {
        "request": {
            "method": method,
            "url": url,
            "headers": [{"name": n, "value": v} for n, v in (headers or {}).items()],
        },
        "response": {
            "status": status,
            "headers": [{"name": n, "value": v} for n, v in (answered or {}).items()],
            "content": {"mimeType": "application/json", "text": json.dumps(answer)},
        },
    }
    if sent is not None:
        text = sent if isinstance(sent, str) else json.dumps(sent)
        made["request"]["postData"] = {"mimeType": kind, "text": text}
    return made


def recorded(tmp_path: Path, *entries: Any) -> Recording:
    file = tmp_path / "visit.har"
    file.write_text(json.dumps({"log": {"entries": list(entries)}}))
    return read(file)


def written(tmp_path: Path, *entries: Any) -> str:
    tasks, credentials = journey.tasks(recorded(tmp_path, *entries))
    return render(Journey("", "visit.har", tasks, credentials, in_order=True))


def test_assets_and_other_hosts_are_left_out_and_counted(tmp_path: Path) -> None:
    image = entry(url="http://shop/logo")
    image["response"]["content"] = {"mimeType": "image/png"}
    kind = {**entry(url="http://shop/chunk"), "_resourceType": "script"}
    found = recorded(
        tmp_path,
        entry(),
        entry(url="http://shop/items"),
        entry(url="http://shop/app.js?v=1"),
        image,
        kind,
        entry(url="https://ads.example/pixel"),
        entry("OPTIONS", "http://shop/items"),
        entry(url="http://shop/slow", status=0),
        entry(url="data:text/plain,x"),
    )
    assert [one.url.path for one in found.entries] == ["/", "/items"]
    assert found.left_out == (
        "1 of other hosts, 3 of static assets, 1 without an answer, 1 preflights, "
        "1 that are not HTTP"
    )


def test_redirects_are_followed_by_the_client(tmp_path: Path) -> None:
    found = recorded(
        tmp_path,
        entry("POST", "http://shop/pay", status=303, answered={"location": "/paid"}),
        entry(url="http://shop/paid"),
        entry(url="http://shop/paid"),
    )
    assert [one.url.path for one in found.entries] == ["/pay", "/paid"]


def test_values_of_earlier_answers_are_read_from_them(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        entry("POST", "http://shop/login", answer={"auth": [{"token": "abc"}]}),
        entry(
            "POST",
            "http://shop/orders?trace=abc",
            headers={"Authorization": "Bearer abc", "Accept": "text/x"},
            sent={"lines": [1]},
            answer={"id": 17, "name": "tea"},
        ),
        entry("PUT", "http://shop/orders/17/x", sent={"order_id": 17, "name": "tea"}),
    )
    assert 'self.token = str(answer.json()["auth"][0]["token"])' in source
    assert 'f"Bearer {self.token}"' in source
    assert 'f"/orders?trace={quote_plus(self.token)}"' in source
    assert 'f"/orders/{quote(self.orders_id)}/x"' in source
    assert '"order_id": int(self.orders_id)' in source
    assert '"name": "tea"' in source
    assert "abc" not in source and "17" not in source
    assert "os.environ" not in source


def test_cookies_are_the_clients_affair(tmp_path: Path) -> None:
    found = recorded(
        tmp_path,
        entry(answered={"Set-Cookie": "csrf=0123456789; Path=/"}),
        entry(
            "POST",
            "http://shop/a",
            headers={"Cookie": "csrf=0123456789; old=1", "X-CSRF-Token": "0123456789"},
        ),
    )
    tasks, credentials = journey.tasks(found)
    source = render(Journey("", "x", tasks, credentials, in_order=True))
    assert "Cookie" not in source and "0123456789" not in source
    assert "in self.client.cookiejar}" in source
    assert 'self.csrf = cookies["csrf"]' in source
    assert '"X-CSRF-Token": self.csrf' in source
    assert journey.unset_cookies(found) == {"old"}


@pytest.mark.parametrize(
    "one",
    [
        entry(headers={"Authorization": "Bearer hunter2x"}),
        entry(headers={"authorization": "Basic hunter2x"}),
        entry(headers={"X-Api-Key": "hunter2x"}),
        entry(headers={"Cookie": "session=hunter2x"}),
        entry(url="http://shop/?api_key=hunter2x"),
        entry(url="http://me:hunter2x@shop/"),
        entry("POST", sent={"user": {"password": "hunter2x"}}),
        entry("POST", sent={"auth": {"pin": ["hunter2x"]}}),
        entry("POST", sent={"callback": "http://x/?token=hunter2x"}),
        entry(
            "POST",
            sent="a=1&password=hunter2x",
            kind="application/x-www-form-urlencoded",
        ),
        entry("POST", sent="<password>hunter2x</password>", kind="text/xml"),
        entry(
            "POST",
            sent='--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nhunter2x'
            "\r\n--b--\r\n",
            kind="multipart/form-data; boundary=b",
        ),
    ],
)
def test_no_secret_is_written(tmp_path: Path, one: Any) -> None:
    # The same text is also in an earlier request, where it does not look like a secret.
    earlier = entry("POST", "http://shop/first", sent={"note": "hunter2x"})
    source = written(tmp_path, one)
    assert "hunter2x" not in source
    # If it is the whole value of a secret name, it is hidden in the earlier one, too.
    if "os.environ.get(" in source and "callback" not in str(one):
        assert "hunter2x" not in written(tmp_path, earlier, one)


def test_a_cookie_is_a_secret_elsewhere_too(tmp_path: Path) -> None:
    cookie = "0123456789abcdef0123"
    source = written(
        tmp_path,
        entry("POST", "http://shop/first", sent={"note": cookie}),
        entry(headers={"Cookie": f"lang=en; sid={cookie}"}),
    )
    assert cookie not in source and 'SID = os.environ.get("SID", "")' in source


def test_a_number_that_is_a_secret_stays_a_number(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        entry("POST", "http://shop/first", sent={"count": 482913}),
        entry(
            "POST",
            "http://shop/pages/3",
            sent={"password": 482913, "auth": {"pin": [7350.25]}, "max_tokens": 3},
        ),
        entry("POST", "http://shop/pages/3", sent={"size": 3}),
    )
    assert "482913" not in source and "7350.25" not in source
    assert '"count": int(PASSWORD)' in source
    assert '"password": int(PASSWORD)' in source
    assert '"pin": [float(PIN_SECRET)]' in source
    assert '"max_tokens": int(MAX_TOKENS)' in source
    # A small number under another name is something else.
    assert '"size": 3' in source and '"/pages/3"' in source


def test_two_values_of_a_cookie_are_two_secrets(tmp_path: Path) -> None:
    old, new = "0123456789abcdef0123", "9876543210fedcba9876"
    source = written(
        tmp_path,
        entry(headers={"Cookie": f"sid={old}"}),
        entry(headers={"Cookie": f"sid={new}"}),
        entry("POST", sent={"from": old, "to": new}),
    )
    assert '"from": SID, "to": SID_2' in source


def test_a_json_web_token_is_a_secret_under_any_name(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        entry(url=f"http://shop/confirm/{JWT}"),
        entry("POST", sent={"note": JWT}),
    )
    assert JWT not in source


def test_a_form_that_has_a_field_twice(tmp_path: Path) -> None:
    kind = "application/x-www-form-urlencoded"
    source = written(tmp_path, entry("POST", sent="a=1&a=2", kind=kind))
    assert 'data="a=1&a=2"' in source and kind in source


def test_what_is_base64_is_decoded(tmp_path: Path) -> None:
    login = entry("POST", "http://shop/login")
    text = base64.b64encode(b'{"token": "abc"}').decode()
    login["response"]["content"] = {"text": text, "encoding": "base64"}
    source = written(tmp_path, login, entry(headers={"X-Token": "abc"}))
    assert '"X-Token": self.token' in source


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"log": {"entries": [', "line 1, column 22"),
        ("{}", "log.entries: expected a list"),
        ('{"log": {"entries": []}}', "no request is left"),
        ('{"log": {"entries": [{}, 3]}}', "log.entries[1].request.url: expected a URL"),
        (
            '{"log": {"entries": [{"request": {"method": "GET", "url": "http://["}}]}}',
            "log.entries[0].request.url: expected a URL, got 'http://['",
        ),
        (
            json.dumps(
                {
                    "log": {
                        "entries": [
                            {
                                "request": {"method": "GET", "url": "http://a/"},
                                "response": {
                                    "content": {"text": "%%%", "encoding": "base64"}
                                },
                            }
                        ]
                    }
                }
            ),
            "log.entries[0].response.content.text: expected base64",
        ),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "cut.har"
    file.write_text(content)
    with pytest.raises(InputError) as refused:
        read(file)
    assert said in str(refused.value) and "cut.har" in str(refused.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            """request response headers name value url method postData text mimeType
            params encoding content status cookies token id""".split()
        ),
        inner | st.sampled_from(["GET", "http://a/b", "base64", "application/json"]),
        max_size=6,
    ),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ANYTHING, max_size=4), ANYTHING)
def test_no_recording_makes_it_fail(
    tmp_path: Path, entries: list[Any], body: Any
) -> None:
    good = entry("POST", "http://shop/a", sent=body, answer=body)
    for chosen in (entries, [good, *[one for one in entries if one is None], good]):
        try:
            source = written(tmp_path, *chosen)
        except InputError:
            continue
        compile(source, "locustfile.py", "exec")
