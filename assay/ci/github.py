"""Writes one comment on a pull request of GitHub, and updates it in place."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assay.errors import AssayError, InputError
from assay.wording import one_line

if TYPE_CHECKING:
    import httpx

BOT = "github-actions[bot]"  # the account of a workflow's own token
TIMEOUT = 30.0  # seconds
ATTEMPTS = 3
WAIT = 2.0  # seconds before another attempt
PER_PAGE = 100
MOST_PAGES = 50
GRAPHQL = "graphql"  # GitHub's other API, whose path names no repository


class GitHubError(AssayError):
    """GitHub refused a request, or did not answer it."""


class NoPermissionError(GitHubError):
    """The token does not permit a request, as on pull requests from forks."""


@dataclass(frozen=True)
class Job:
    """What the environment variables of a GitHub Actions job say about the job.

    Attributes:
        api: The URL of the API.
        server: The URL of the web pages.
        repository: ``owner/name``.
        run: The id of the workflow run that measured; 0 if unknown.
        event: The event that started the workflow, as GitHub describes it.
        token: The token for the API, which is never shown; empty if there is none.
    """

    api: str
    server: str
    repository: str
    run: int
    event: Mapping[str, Any]
    token: str = field(repr=False)

    @classmethod
    def here(cls, variables: Mapping[str, str]) -> Job:
        """Return the job that an environment describes.

        Raises:
            InputError: A variable is missing or wrong.
        """
        repository = variables.get("GITHUB_REPOSITORY", "")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
            raise InputError(
                "GITHUB_REPOSITORY: expected owner/name, as GitHub Actions sets it, "
                f"and not {repository!r}"
            )
        event = _event(variables.get("GITHUB_EVENT_PATH", ""))
        measured = _mapping(event.get("workflow_run")).get("id")
        run = measured or variables.get("GITHUB_RUN_ID") or 0
        return cls(
            api=_address(variables, "GITHUB_API_URL", "https://api.github.com"),
            server=_address(variables, "GITHUB_SERVER_URL", "https://github.com"),
            repository=repository,
            run=int(run) if str(run).isdecimal() else 0,
            event=event,
            token=variables.get("GITHUB_TOKEN", ""),
        )

    @property
    def link(self) -> str:
        """The URL of the workflow run that measured; empty if unknown."""
        if not self.run:
            return ""
        return f"{self.server}/{self.repository}/actions/runs/{self.run}"


class Client:
    """Sends requests to GitHub's API for one repository."""

    def __init__(self, job: Job, wait: float = WAIT) -> None:
        """Keep the token of a job.

        Args:
            job: The job.
            wait: Seconds before another attempt.

        Raises:
            InputError: There is no token.
        """
        if not job.token:
            raise InputError(
                "GITHUB_TOKEN is not set; in a workflow: env: GITHUB_TOKEN: "
                "${{ github.token }}, and permissions: pull-requests: write"
            )
        self._job = job
        self._wait = wait

    def pull_request(self) -> int | None:
        """Return the number of the pull request that the job is about; None if unknown.

        After the event `workflow_run`, this is the open pull request whose head has the
        repository, branch and commit that were measured.

        Raises:
            GitHubError: GitHub does not list the pull requests.
        """
        event = self._job.event
        number = _mapping(event.get("pull_request")).get("number")
        if isinstance(number, int):
            return number
        run = _mapping(event.get("workflow_run"))
        if not run:
            return None
        head = _mapping(run.get("head_repository"))
        owner = _mapping(head.get("owner")).get("login")
        wanted = (head.get("full_name"), run.get("head_branch"), run.get("head_sha"))
        if not owner or not all(wanted):
            return None
        query = {"state": "open", "head": f"{owner}:{wanted[1]}"}
        for pull in self._pages("pulls", query):
            its = _mapping(pull.get("head"))
            repository = _mapping(its.get("repo")).get("full_name")
            if (repository, its.get("ref"), its.get("sha")) == wanted:
                return int(pull["number"])
        return None

    def write(
        self, number: int, marker: str, body: str, author: str | None = None
    ) -> str:
        """Create the comment of a pull request, or replace its text.

        Args:
            number: The number of the pull request.
            marker: The first line of the comment.
            body: Its whole text.
            author: The author whose comment is replaced; the account of the token if
                None. The comment of another author is left alone, even if it has the
                marker: that author could change it later.

        Returns:
            What was done, with the URL of the comment.

        Raises:
            NoPermissionError: The token does not permit comments.
            GitHubError: Anything else went wrong.
        """
        comments = f"issues/{number}/comments"
        for comment in self._pages(comments, {}):
            if not str(comment.get("body")).startswith(marker):
                continue
            author = author or self._account()
            if _mapping(comment.get("user")).get("login") == author:
                place = f"issues/comments/{int(comment['id'])}"
                done = self._ask("PATCH", place, content={"body": body})
                return f"updated {one_line(str(done.get('html_url', place)))}"
        done = self._ask("POST", comments, content={"body": body})
        return f"created {one_line(str(done.get('html_url', comments)))}"

    def _account(self) -> str:
        """Return the account of the token; `BOT` if GitHub does not tell."""
        # Unlike /user, this also works with the token of an app, which workflows have.
        query = {"query": "{ viewer { login } }"}
        try:
            answer = self._ask("POST", GRAPHQL, content=query)
        except NoPermissionError:
            return BOT
        viewer = _mapping(_mapping(_mapping(answer).get("data")).get("viewer"))
        return str(viewer.get("login") or BOT)

    def _pages(
        self, place: str, query: Mapping[str, str]
    ) -> Iterator[Mapping[str, Any]]:
        for page in range(1, MOST_PAGES + 1):
            numbers = {"per_page": str(PER_PAGE), "page": str(page)}
            items = self._ask("GET", place, {**query, **numbers})
            if not isinstance(items, list):
                raise GitHubError(f"GitHub: {place}: expected a list")
            yield from map(_mapping, items)
            if len(items) < PER_PAGE:
                return

    def _ask(
        self,
        method: str,
        place: str,
        query: Mapping[str, str] | None = None,
        content: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the content of the answer to a request.

        Raises:
            NoPermissionError: The token does not permit the request.
            GitHubError: Anything else went wrong.
        """
        import httpx

        api = self._job.api
        address = f"{api}/repos/{self._job.repository}/{place}"
        if place == GRAPHQL:
            # GitHub Enterprise Server has /api/v3 and /api/graphql.
            address = f"{api.removesuffix('/v3')}/{place}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._job.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        # A POST whose answer was lost may have created something, so it is not
        # repeated. Questions to GraphQL create nothing.
        attempts = 1 if method == "POST" and place != GRAPHQL else ATTEMPTS
        problem = ""
        for attempt in range(attempts):
            if attempt:
                time.sleep(self._wait)
            try:
                answer = httpx.request(
                    method,
                    address,
                    params=query,
                    json=content,
                    headers=headers,
                    timeout=TIMEOUT,
                )
                if answer.is_success:
                    return answer.json()
            except (httpx.HTTPError, ValueError, RecursionError) as error:
                problem = one_line(str(error)) or type(error).__name__
                continue
            problem = _refusal(answer)
            if answer.status_code in (401, 403, 404) and not _is_limited(answer):
                raise NoPermissionError(problem)
            if answer.status_code < 500 and not _is_limited(answer):
                break
        raise GitHubError(f"GitHub: {method} {place}: {problem}")


def _refusal(answer: httpx.Response) -> str:
    """Return the status of an answer and GitHub's message."""
    try:
        message = str(_mapping(answer.json()).get("message", ""))
    except (ValueError, RecursionError):
        message = answer.reason_phrase
    return f"HTTP {answer.status_code}: {one_line(message)[:200]}"


def _is_limited(answer: httpx.Response) -> bool:
    """Return whether GitHub refused a request because there were too many."""
    if answer.status_code == 429 or "retry-after" in answer.headers:
        return True
    # A rate limit can have the status of a missing permission and name no time to wait.
    return answer.status_code == 403 and (
        answer.headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in _refusal(answer).lower()
    )


def _event(path: str) -> Mapping[str, Any]:
    """Return the event that started the workflow; empty if unknown.

    Raises:
        InputError: The file of the event cannot be read.
    """
    if not path or not os.path.isfile(path):
        return {}
    try:
        return _mapping(json.loads(Path(path).read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"GITHUB_EVENT_PATH: {path}: {error}") from error


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _address(variables: Mapping[str, str], name: str, usual: str) -> str:
    """Return a URL that the token may be sent to: HTTPS, or HTTP on this machine.

    Raises:
        InputError: The variable has no such URL.
    """
    text = (variables.get(name) or usual).rstrip("/")
    parts = urlsplit(text)
    local = parts.scheme == "http" and _is_loopback(parts.hostname or "")
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise InputError(f"{name}: expected an https:// address, and not {text!r}")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
