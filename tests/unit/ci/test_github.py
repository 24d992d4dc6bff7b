"""One comment on a pull request, against a real server on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay.ci import github
from assay.errors import InputError
from tests.fake_github import REPOSITORY, TOKEN, FakeGitHub, fake_github

MARKER = "<!-- assay:compare -->"


@pytest.fixture
def server() -> Iterator[FakeGitHub]:
    with fake_github() as state:
        yield state


def client(server: FakeGitHub, event: dict[str, Any] | None = None) -> github.Client:
    return github.Client(
        github.Job(server.url, "", REPOSITORY, 5, event or {}, TOKEN), 0
    )


def variables(tmp_path: Path, **more: str) -> dict[str, str]:
    event = tmp_path / "event.json"
    if not event.exists():
        event.write_text('{"pull_request": {"number": 7}}')
    return {
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_RUN_ID": "5",
        "GITHUB_TOKEN": TOKEN,
        **more,
    }


def test_a_comment_is_created_once_and_then_updated_in_place(
    server: FakeGitHub,
) -> None:
    server.add("Nice work", "someone")
    said = client(server).write(7, MARKER, f"{MARKER}\nslower")
    assert said.startswith("created https://github.com/owner/project/pull/7#")
    said = client(server).write(7, MARKER, f"{MARKER}\nthe same")
    assert said.startswith("updated https://")
    assert [one["body"] for one in server.comments] == [
        "Nice work",
        f"{MARKER}\nthe same",
    ]


def test_the_comment_is_found_behind_many_others(server: FakeGitHub) -> None:
    for number in range(250):
        server.add(f"Comment {number}", "someone")
    server.add(f"{MARKER}\nold")
    client(server).write(7, MARKER, f"{MARKER}\nnew")
    assert len(server.comments) == 251
    assert server.comments[-1]["body"] == f"{MARKER}\nnew"


def test_a_comment_of_someone_else_is_left_alone(server: FakeGitHub) -> None:
    """Its author could change the result that Assay has written."""
    server.add(f"{MARKER}\nmine", "someone")
    server.add(f"As they say: {MARKER}")
    client(server).write(7, MARKER, f"{MARKER}\nslower")
    assert [one["body"] for one in server.comments] == [
        f"{MARKER}\nmine",
        f"As they say: {MARKER}",
        f"{MARKER}\nslower",
    ]


def test_the_comment_of_the_account_of_the_token_is_updated(
    server: FakeGitHub,
) -> None:
    server.account = "app[bot]"
    server.add(f"{MARKER}\nof a workflow")
    client(server).write(7, MARKER, f"{MARKER}\nslower")
    client(server).write(7, MARKER, f"{MARKER}\nthe same")
    assert [one["body"] for one in server.comments] == [
        f"{MARKER}\nof a workflow",
        f"{MARKER}\nthe same",
    ]


def test_if_github_does_not_tell_the_account_it_is_that_of_workflows(
    server: FakeGitHub,
) -> None:
    server.account = ""
    server.add(f"{MARKER}\nold")
    client(server).write(7, MARKER, f"{MARKER}\nnew")
    assert [one["body"] for one in server.comments] == [f"{MARKER}\nnew"]


def test_an_author_that_is_named_is_not_asked_for(server: FakeGitHub) -> None:
    server.add(f"{MARKER}\nold", "someone")
    client(server).write(7, MARKER, f"{MARKER}\nnew", "someone")
    assert [one["body"] for one in server.comments] == [f"{MARKER}\nnew"]
    assert "POST /graphql" not in server.requests


@pytest.mark.parametrize(
    ("api", "expected"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://git.example.org/api/v3", "https://git.example.org/api/graphql"),
    ],
)
def test_the_account_is_asked_for_beside_the_api(
    monkeypatch: pytest.MonkeyPatch, api: str, expected: str
) -> None:
    def request(method: str, address: str, **_: Any) -> httpx.Response:
        assert (method, address) == ("POST", expected)
        return httpx.Response(200, json={"data": {"viewer": {"login": "me"}}})

    monkeypatch.setattr(httpx, "request", request)
    job = github.Job(api, "", REPOSITORY, 5, {}, TOKEN)
    assert github.Client(job)._account() == "me"


def test_a_marker_with_a_key_is_another_comment(server: FakeGitHub) -> None:
    other = "<!-- assay:compare other -->"
    client(server).write(7, other, f"{other}\na")
    client(server).write(7, MARKER, f"{MARKER}\nb")
    client(server).write(7, other, f"{other}\nc")
    assert [one["body"] for one in server.comments] == [
        f"{other}\nc",
        f"{MARKER}\nb",
    ]


def test_no_permission_is_told_apart(server: FakeGitHub) -> None:
    server.forbidden = True
    with pytest.raises(github.NoPermissionError, match="403: Resource not accessible"):
        client(server).write(7, MARKER, MARKER)
    assert not server.comments


@pytest.mark.parametrize("message", ["API rate limit exceeded", "Slow down"])
def test_too_many_requests_are_no_missing_permission(
    server: FakeGitHub, message: str
) -> None:
    server.limited = message
    with pytest.raises(github.GitHubError, match=f"HTTP 403: {message}") as error:
        client(server).write(7, MARKER, MARKER)
    assert not isinstance(error.value, github.NoPermissionError)


def test_a_request_that_failed_is_repeated(server: FakeGitHub) -> None:
    server.failures = 2
    client(server).write(7, MARKER, MARKER)
    assert len(server.comments) == 1


def test_a_comment_is_never_created_twice(server: FakeGitHub) -> None:
    class FailsToCreate(github.Client):
        def _ask(self, method: str, *rest: Any, **more: Any) -> Any:
            server.failures = 1 if method == "POST" else 0
            return super()._ask(method, *rest, **more)

    job = github.Job(server.url, "", REPOSITORY, 5, {}, TOKEN)
    with pytest.raises(github.GitHubError, match="HTTP 502: Bad gateway"):
        FailsToCreate(job, 0).write(7, MARKER, MARKER)
    assert sum(line.startswith("POST") for line in server.requests) == 1


def test_too_long_a_text_is_an_error_with_the_reason(server: FakeGitHub) -> None:
    with pytest.raises(github.GitHubError, match="422: Body is too long"):
        client(server).write(7, MARKER, "x" * 70_000)


def test_a_server_that_is_not_there_is_an_error() -> None:
    job = github.Job("http://127.0.0.1:9", "", REPOSITORY, 5, {}, TOKEN)
    with pytest.raises(github.GitHubError, match="GET issues/7/comments") as error:
        github.Client(job, 0).write(7, MARKER, MARKER)
    assert TOKEN not in str(error.value) and TOKEN not in repr(job)


def pull(number: int, name: str, branch: str, sha: str) -> dict[str, Any]:
    head = {"ref": branch, "sha": sha, "repo": {"full_name": name}}
    return {"number": number, "head": head}


def after_run(name: str, branch: str, sha: str) -> dict[str, Any]:
    repository = {"full_name": name, "owner": {"login": name.partition("/")[0]}}
    run = {"id": 55, "head_branch": branch, "head_sha": sha}
    return {"workflow_run": {**run, "head_repository": repository}}


def test_after_another_workflow_the_pull_request_is_that_of_its_commit(
    server: FakeGitHub,
) -> None:
    server.pulls = [
        pull(3, "fork/other", "patch", "b" * 40),
        pull(4, "fork/project", "patch", "a" * 40),
        pull(7, "fork/project", "patch", "b" * 40),
        pull(9, "fork/x", "patch", "c" * 40),
    ]
    event = after_run("fork/project", "patch", "b" * 40)
    assert client(server, event).pull_request() == 7
    moved_on = after_run("fork/project", "patch", "d" * 40)
    assert client(server, moved_on).pull_request() is None


def test_the_pull_request_of_an_event(server: FakeGitHub) -> None:
    assert client(server, {"pull_request": {"number": 7}}).pull_request() == 7
    assert client(server, {}).pull_request() is None
    assert client(server, {"workflow_run": {"id": 1}}).pull_request() is None
    deleted = after_run("fork/project", "patch", "b" * 40)
    deleted["workflow_run"]["head_repository"] = None
    assert client(server, deleted).pull_request() is None


def test_the_job_is_read_from_the_environment(tmp_path: Path) -> None:
    job = github.Job.here(variables(tmp_path))
    assert job.link == "https://github.com/owner/project/actions/runs/5"
    assert job.api == "https://api.github.com"
    event = after_run("fork/project", "patch", "b" * 40)
    (tmp_path / "event.json").write_text(json.dumps(event))
    assert github.Job.here(variables(tmp_path)).link.endswith("/runs/55")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_REPOSITORY", "owner"),
        ("GITHUB_REPOSITORY", "owner/project/../other"),
        ("GITHUB_API_URL", "http://api.example.org"),
        ("GITHUB_API_URL", "file:///etc"),
        ("GITHUB_SERVER_URL", "javascript:alert(1)"),
    ],
)
def test_a_token_goes_nowhere_else(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        github.Job.here(variables(tmp_path, **{name: value}))


def test_an_event_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("[" * 10_000)
    with pytest.raises(InputError, match="GITHUB_EVENT_PATH: .*event.json"):
        github.Job.here(variables(tmp_path))


def test_a_missing_token_says_how_to_pass_it(tmp_path: Path) -> None:
    job = github.Job.here(variables(tmp_path, GITHUB_TOKEN=""))
    with pytest.raises(InputError, match="GITHUB_TOKEN: \\${{ github.token }}"):
        github.Client(job)
