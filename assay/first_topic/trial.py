"""Send the requests of the tasks that are on, and switch off those that fail."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from assay.first_topic.ids import Ids
from assay.first_topic.request import File, Read, Request, Task, filled
from assay.wording import one_line

TIMEOUT = 10.0  # seconds within which an answer must end
MAX_REDIRECTS = 5  # redirects that are followed to one answer
MAX_DETAIL = 160  # characters of an answer that are shown
UNKNOWN_ID = ("400", "404", "410", "422")  # statuses of a path with an unknown id


@dataclass(frozen=True)
class Answer:
    """The answer to a request.

    Attributes:
        status: The status, or words for what happened instead.
        problem: Why the answer is not a success; empty if it is one.
        advice: What the user can do about the problem.
        values: The values that were read from the answer for later requests; None if
            there is a problem.
        body: The body of an answer without a problem.
    """

    status: str
    problem: str = ""
    advice: str = ""
    values: Mapping[str, str] | None = None
    body: bytes = b""


def run(url: str, tasks: Sequence[Task], in_order: bool) -> tuple[Task, ...]:
    """Send the request of each task that is on.

    If the tasks are not in order, requests that change data are sent last. If there are
    such requests, or if the tasks are in order, each request that succeeded is sent a
    second time: a request that creates or deletes something may work only once, and
    other requests may fail after it. Such requests would fail in a load test.

    If nothing has the made-up id in the path of a read, an id from another answer takes
    its place.

    Args:
        url: The base URL of the service.
        tasks: The tasks.
        in_order: Whether the tasks must run in their order, as in a recording.

    Returns:
        The tasks in their order, with their status. Tasks that failed are off, and so
        are tasks whose environment variables are not set.
    """
    tried = [task if task.off else _without_values(task) for task in tasks]
    order = sorted(range(len(tried)), key=lambda index: _rank(tried[index], in_order))
    on = [index for index in order if not tried[index].off]
    changing = any(
        task.request.changes_data for task in tried if task.request and not task.off
    )
    for again in (False, True) if changing or in_order else (False,):
        values, ids = _secrets(tried), Ids()
        with _client(url) as client:
            for rank, indexes in groupby(on, lambda i: _rank(tried[i], in_order)):
                group = list(indexes)
                for index in group:
                    task = tried[index]
                    if not task.off and task.request:
                        answer = send(client, task.request, values)
                        tried[index] = _judged(task, answer, again)
                        values.update(answer.values or {})
                        ids.learn(task.request, answer.body)
                # What changes data comes later, and may delete these ids.
                if rank == 0 and not (again or in_order):
                    for index in group:
                        tried[index] = _with_ids(tried[index], client, values, ids)
    return tuple(tried)


def _with_ids(task: Task, client: Any, values: Mapping[str, str], ids: Ids) -> Task:
    """Try a read of something that does not exist with ids that do.

    Args:
        task: The task.
        client: The client of httpx.
        values: The values for the gaps of requests, by name.
        ids: The ids so far; those in the new answer are added.
    """
    if task.request is None or task.status not in UNKNOWN_ID:
        return task
    other = ids.put_into(task.request)
    answer = send(client, other, values) if other else None
    if other is None or answer is None or answer.problem:
        return task
    ids.learn(other, answer.body)
    return _judged(replace(task, request=other), answer, again=False)


def send(client: Any, request: Request, values: Mapping[str, str]) -> Answer:
    """Send a request, and follow redirects to the same host.

    The load generator follows redirects, too. A failure is returned as an answer with a
    problem. An answer of 2xx or 304 is a success if it has the values to read.

    Args:
        client: The client of httpx.
        request: The request.
        values: The values for the request's gaps, by name.
    """
    import httpx

    try:
        built = _built(client, request, values)
    except KeyError as error:
        reason = f"it needs {error.args[0]} from an earlier request, which is off"
        return Answer("not sent", reason, "correct the earlier request first")
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        reason = f"it cannot be sent: {one_line(str(error))[:MAX_DETAIL]}"
        return Answer("not sent", reason, "write it by hand")
    until = time.monotonic() + TIMEOUT
    try:
        for _ in range(1 + MAX_REDIRECTS):
            answer = client.send(built, stream=True)
            body = _read(answer, until)
            if body is None:
                return _too_slow(answer.status_code)
            if not answer.has_redirect_location:
                return _answered(request, answer, body, client)
            built = answer.next_request
            if built.url.netloc != client.base_url.netloc:
                host = one_line(str(built.url.host))[:60]
                reason = f"it redirects to another host, {host}"
                return Answer(str(answer.status_code), reason, "leave it out")
    except httpx.TimeoutException:
        return _too_slow(None)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        reason = f"{type(error).__name__}: {one_line(str(error))[:MAX_DETAIL]}"
        return Answer("no answer", reason, "see the log of the service")
    return Answer("no answer", "it redirects in a circle", "leave it out")


def _client(url: str) -> Any:
    import httpx

    # A service may close a connection after an error. So no connection is used twice.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=url, trust_env=False, timeout=TIMEOUT, limits=limits)


def _built(client: Any, request: Request, values: Mapping[str, str]) -> Any:
    """Return the request as an object of httpx.

    Raises:
        KeyError: The value of a gap is missing.
        ValueError: The path leads to another host, or a value is not valid.
    """
    headers = {name: part.filled(values) for name, part in request.headers.items()}
    sent: dict[str, Any] = {}
    if request.body:
        content = filled(request.body.content, values)
        if request.body.kind == "multipart":
            sent["files"] = {
                name: (
                    (part.name, part.content, part.media_type)
                    if isinstance(part, File)
                    else (None, part)
                )
                for name, part in content.items()
            }
        else:
            key = {"json": "json", "form": "data", "raw": "content"}[request.body.kind]
            sent[key] = content
    if request.basic:
        import httpx

        user, password = (gap.filled(values) for gap in request.basic)
        header = next(
            httpx.BasicAuth(user, password).auth_flow(
                httpx.Request("GET", "http://localhost/")
            )
        ).headers["Authorization"]
        headers["Authorization"] = header
    base = str(client.base_url).rstrip("/")
    url = base + request.path.filled(values)
    if urlsplit(url).netloc != urlsplit(base).netloc:
        raise ValueError("its path leads to another host")
    return client.build_request(request.method, url, headers=headers, **sent)


def _read(answer: Any, until: float) -> bytes | None:
    """Return the first 10 MB of an answer's body; None if it does not end in time."""
    body = b""
    try:
        for chunk in answer.iter_bytes():
            body += chunk[: 10_000_000 - len(body)]
            if time.monotonic() > until:
                return None
        return body
    finally:
        answer.close()


def _answered(request: Request, answer: Any, body: bytes, client: Any) -> Answer:
    status = str(answer.status_code)
    jar = client.cookies.jar
    if not answer.is_success and answer.status_code != 304:
        secure = sorted({one_line(cookie.name) for cookie in jar if cookie.secure})
        if status in ("401", "403") and secure and client.base_url.scheme == "http":
            advice = (
                f"no client sends the cookie {secure[0][:40]} over HTTP, since it is "
                "marked as secure: do not mark it so for tests"
            )
        else:
            detail = one_line(body[:2000].decode("utf-8", "replace"))[:MAX_DETAIL]
            advice = _advice(request, status, detail)
        return Answer(status, f"it answered {status}", advice)
    cookies = {cookie.name: cookie.value or "" for cookie in jar}
    values = {}
    for read in request.reads:
        try:
            values[read.name] = _value(read, body, cookies)
        except (ValueError, LookupError, TypeError, RecursionError):
            reason = f"its answer has no {read.source}, which later requests need"
            return Answer(status, reason, "correct what is read from the answer")
    return Answer(status, values=values, body=body)


def _value(read: Read, body: bytes, cookies: Mapping[str, str]) -> str:
    """Return a value of an answer.

    Raises:
        ValueError: The body is not JSON.
        LookupError: The answer does not have the value.
        TypeError: The path does not fit the JSON.
    """
    import json

    if read.cookie:
        return cookies[read.cookie]
    content = json.loads(body)
    for step in read.path:
        content = content[step]
    return str(content)


def _advice(request: Request, status: str, detail: str) -> str:
    """Return what the user can do about a status."""
    variables = sorted(
        gap.name for gap in request.gaps() if gap.source == "environment"
    )
    if status in ("401", "403", "407"):
        if variables:
            return f"check the value of {', '.join(variables)}"
        if request.body:
            return "put an existing user and password into what it sends"
        return "add what gives it permission, such as a log-in"
    if status in ("404", "410"):
        return "put an id that exists into its path"
    if status in ("400", "409", "415", "422"):
        return f"correct what it sends; the answer was: {detail}"
    if status == "405":
        return "the service does not accept this method here: correct the method"
    if status == "429":
        return "raise the rate limit of the service for tests"
    if status.startswith("5"):
        return "see the log of the service; --needs and --prepare give it what it needs"
    return "correct it by hand"


def _too_slow(status: int | None) -> Answer:
    reason = f"its answer did not end within {TIMEOUT:g} s"
    return Answer(
        str(status or "no answer"), reason, "if it is a stream, write its task by hand"
    )


def _secrets(tasks: Sequence[Task]) -> dict[str, str]:
    """Return the environment variables that requests need and that are set."""
    gaps = (gap for task in tasks if task.request for gap in task.request.gaps())
    return {
        gap.name: os.environ[gap.name]
        for gap in gaps
        if gap.source == "environment" and gap.name in os.environ
    }


def _without_values(task: Task) -> Task:
    """Switch a task off if a variable that it needs is not set, or is empty."""
    needed = sorted(
        gap.name
        for gap in (task.request.gaps() if task.request else ())
        if gap.source == "environment" and not os.environ.get(gap.name)
    )
    if not needed:
        return task
    names = " and ".join(needed)
    verb = "is" if len(needed) == 1 else "are"
    again = f"export {' '.join(f'{name}=…' for name in needed)}"
    return replace(
        task,
        off=f"{names} {verb} not set",
        advice=f"{again}, and type assay init --force again",
    )


def _rank(task: Task, in_order: bool) -> int:
    """Return a task's rank: 0 for reads, 1 for changes and 2 for DELETE.

    All tasks that run in order have rank 0, so that sorting keeps their order.
    """
    if in_order or task.request is None:
        return 0
    return task.request.changes_data + (task.request.method == "DELETE")


def _judged(task: Task, answer: Answer, again: bool) -> Task:
    if not again:
        return replace(
            task, status=answer.status, off=answer.problem, advice=answer.advice
        )
    if not answer.problem:
        return task
    return replace(
        task,
        status=f"{task.status}, {answer.status}",
        off=f"it worked once; the second time {answer.problem}",
        advice="make what it sends different each time",
    )
