"""One comment on a pull request of GitHub, which is updated in place."""

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

BOT = "github-actions[bot]"  # who writes with the token of a workflow
TIMEOUT = 30.0  # seconds
ATTEMPTS = 3
WAIT = 2.0  # seconds before another attempt
PER_PAGE = 100
MOST_PAGES = 50


class GitHubError(AssayError):
    """GitHub did not do what it was asked."""


class NoPermissionError(GitHubError):
    """The token must not do this, as on pull requests from forks."""


@dataclass(frozen=True)
class Job:
    """What a job of GitHub Actions knows of itself.

    Attributes:
        api: The address of the API.
        server: The address that people see.
        repository: ``owner/name``.
        run: The number of the workflow run that measured; 0 if unknown.
        event: What started the workflow.
        token: It is never shown.
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
        """The page of the run that measured; empty if unknown."""
        if not self.run:
            return ""
        return f"{self.server}/{self.repository}/actions/runs/{self.run}"


class Client:
    """Asks GitHub's API for one repository."""

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
        """Return the number of the pull request that the job is about, if any.

        After `workflow_run` it is the open one whose head is the repository, branch and
        commit that was measured.

        Raises:
            GitHubError: GitHub does not say.
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

    def write(self, number: int, marker: str, body: str, author: str = BOT) -> str:
        """Create the comment of a pull request, or replace its text.

        Args:
            number: The number of the pull request.
            marker: The first line of the comment.
            body: Its whole text.
            author: Who wrote it. The comment of anyone else is left alone, even if it
                has the marker: its author could change it later.

        Returns:
            What was done, with the address.

        Raises:
            NoPermissionError: The token must not write comments.
            GitHubError: Anything else went wrong.
        """
        comments = f"issues/{number}/comments"
        for comment in self._pages(comments, {}):
            login = _mapping(comment.get("user")).get("login")
            if login == author and str(comment.get("body")).startswith(marker):
                place = f"issues/comments/{int(comment['id'])}"
                done = self._ask("PATCH", place, content={"body": body})
                return f"updated {one_line(str(done.get('html_url', place)))}"
        done = self._ask("POST", comments, content={"body": body})
        return f"created {one_line(str(done.get('html_url', comments)))}"

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
        """Return the answer to a request."""
        import httpx

        address = f"{self._job.api}/repos/{self._job.repository}/{place}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._job.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        # A POST that was lost on the way back must not create a second comment.
        attempts = 1 if method == "POST" else ATTEMPTS
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
            except (httpx.HTTPError, ValueError) as error:
                problem = one_line(str(error)) or type(error).__name__
                continue
            problem = _refusal(answer)
            if answer.status_code in (401, 403, 404) and not _is_limited(answer):
                raise NoPermissionError(problem)
            if answer.status_code < 500 and not _is_limited(answer):
                break
        raise GitHubError(f"GitHub: {method} {place}: {problem}")


def _refusal(answer: httpx.Response) -> str:
    """Return the status and GitHub's own words."""
    try:
        message = str(_mapping(answer.json()).get("message", ""))
    except ValueError:
        message = answer.reason_phrase
    return f"HTTP {answer.status_code}: {one_line(message)[:200]}"


def _is_limited(answer: httpx.Response) -> bool:
    """Say whether there were too many requests."""
    return answer.status_code == 429 or "retry-after" in answer.headers


def _event(path: str) -> Mapping[str, Any]:
    """Return what started the workflow; empty if unknown."""
    if not path or not os.path.isfile(path):
        return {}
    try:
        return _mapping(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"GITHUB_EVENT_PATH: {path}: {error}") from error


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _address(variables: Mapping[str, str], name: str, usual: str) -> str:
    """Return an address that a token may be sent to.

    Raises:
        InputError: It is not encrypted, or no address.
    """
    text = (variables.get(name) or usual).rstrip("/")
    parts = urlsplit(text)
    local = parts.scheme == "http" and _is_loopback(parts.hostname or "")
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise InputError(f"{name}: expected an address of https://, and not {text!r}")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
