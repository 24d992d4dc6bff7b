"""Make the tasks of a journey from a recording."""

import email
import email.policy
import re
from dataclasses import replace
from email.message import Message
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from assay.first_topic.har.recording import Entry, Part, Recording
from assay.first_topic.har.values import Values
from assay.first_topic.names import identifier, unique
from assay.first_topic.openapi.document import read_json
from assay.first_topic.request import (
    Body,
    Credential,
    File,
    Gap,
    Json,
    Request,
    Task,
    Template,
    text,
)
from assay.wording import one_line

# Headers that the client writes itself, that only browsers need, or that would let the
# server answer without doing the work.
LEFT_OUT = frozenset("""
    accept-encoding accept-language cache-control connection content-length content-type
    cookie cookie2 dnt expect host if-match if-modified-since if-none-match if-range
    if-unmodified-since keep-alive origin pragma priority proxy-authorization
    proxy-connection range referer te trailer transfer-encoding upgrade
    upgrade-insecure-requests user-agent via
    """.split())
NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class _NotWrittenError(Exception):
    """A request cannot be written into a locustfile; the message says why."""


def tasks(recording: Recording) -> tuple[tuple[Task, ...], tuple[Credential, ...]]:
    """Return a task for each request, and the environment variables for secrets."""
    first = Values()
    _tasks(recording, first)
    # A secret that is found late may occur earlier under a harmless name. So the tasks
    # are made again, now that all secrets are known.
    values = Values(credentials=first.credentials, secrets=first.secrets)
    made = [
        (
            replace(
                task, request=replace(task.request, reads=tuple(values.reads[number]))
            )
            if task.request and number in values.reads
            else task
        )
        for number, task in enumerate(_tasks(recording, values))
    ]
    return tuple(made), tuple(values.credentials.values())


def unset_cookies(recording: Recording) -> set[str]:
    """Return the names of cookies that are sent, but that no earlier answer sets."""
    set_before: set[str] = set()
    unset: set[str] = set()
    for entry in recording.entries:
        for name, value in entry.headers:
            if name.lower() == "cookie":
                pairs = (pair.partition("=") for pair in value.split(";"))
                unset |= {pair[0].strip() for pair in pairs if pair[1]} - set_before
        set_before |= set(entry.set_cookies)
    return unset


def _tasks(recording: Recording, values: Values) -> list[Task]:
    made: list[Task] = []
    taken: set[str] = set()
    for number, entry in enumerate(recording.entries):
        name = unique(_identifier(entry), taken)
        taken.add(name)
        made.append(_task(entry, name, values))
        values.learn(number, entry)
    return made


def _identifier(entry: Entry) -> str:
    words = re.sub(r"\d+", " ", unquote(entry.url.path))
    method = entry.method.lower()
    return identifier(f"{method} {words}", method)


def _task(entry: Entry, name: str, values: Values) -> Task:
    path = _path(entry, values)
    shown = "".join(
        part if isinstance(part, str) else f"{{{part.name}}}" for part in path.parts
    )
    task = Task(name, "", f"{entry.method} {one_line(shown)}", None)
    try:
        body, media_type = _body(entry, values)
        headers = _headers(entry, values)
        if media_type:
            headers["Content-Type"] = text(media_type)
    except _NotWrittenError as error:
        return replace(task, off=str(error), advice="write it by hand")
    query = _query(entry, values)
    request = Request(
        method=entry.method,
        path=text(*path.parts, *query.parts),
        name=shown,
        headers=headers,
        body=body,
    )
    return replace(task, request=request)


def _path(entry: Entry, values: Values) -> Template:
    """Return the path; a segment may be a secret or come from an earlier answer."""
    parts: list[str | Gap] = []
    for index, step in enumerate((entry.url.path or "/").split("/")):
        plain = unquote(step)
        made = values.of("", plain, "path")
        if any(isinstance(part, Gap) for part in made.parts):
            parts += ["/" if index else "", *made.parts]
        else:
            parts.append(f"{'/' if index else ''}{quote(plain, safe=':@!$&+,;=~')}")
    return _joined(parts)


def _query(entry: Entry, values: Values) -> Template:
    parts: list[str | Gap] = []
    for name, value in parse_qsl(entry.url.query, keep_blank_values=True):
        parts.append(f"{'&' if parts else '?'}{quote_plus(name)}=")
        made = values.of(name, value, "query")
        parts += [
            part if isinstance(part, Gap) else quote_plus(part) for part in made.parts
        ]
    return _joined(parts)


def _joined(parts: list[str | Gap]) -> Template:
    """Return a template in which adjacent texts are joined."""
    joined: list[str | Gap] = []
    for part in parts:
        if joined and isinstance(part, str) and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return text(*joined)


def _headers(entry: Entry, values: Values) -> dict[str, Template]:
    headers = {}
    for name, value in entry.headers:
        lower = name.lower()
        if lower == "cookie":
            values.learn_cookies(value)
        if lower in LEFT_OUT or lower.startswith((":", "sec-")):
            continue
        if (lower, value) == ("accept", "*/*") or not NAME.fullmatch(name):
            continue
        if not VALUE.fullmatch(value):
            continue  # no header can have this value
        headers[name] = values.of(name, value)
    return headers


def _body(entry: Entry, values: Values) -> tuple[Body | None, str]:
    """Return the body and its media type, which is empty if the client sets it.

    Raises:
        _NotWrittenError: The body is not valid JSON, lacks its parts, or is a text that
            may hold a secret.
    """
    kind = entry.media_type.partition(";")[0].strip().lower()
    if not entry.body and not entry.parts:
        return None, ""
    if kind == "application/json" or kind.endswith("+json"):
        try:
            content = values.in_json(read_json(entry.body))
        except (ValueError, RecursionError) as error:
            raise _NotWrittenError(f"its body is no JSON: {error}") from error
        return Body("json", content), "" if kind == "application/json" else kind
    if kind == "application/x-www-form-urlencoded":
        pairs = [(part.name, part.value) for part in entry.parts]
        pairs = parse_qsl(entry.body, keep_blank_values=True) or pairs
        return _form(pairs, values)
    if kind == "multipart/form-data":
        return _multipart(entry, values), ""
    if values.has_secret(entry.body):
        raise _NotWrittenError(f"its body ({one_line(kind)[:40]}) may hold a secret")
    if not kind or not VALUE.fullmatch(kind):
        kind = "application/octet-stream"
    return Body("raw", entry.body), kind


def _form(pairs: list[tuple[str, str]], values: Values) -> tuple[Body, str]:
    made = [(name, values.of(name, value)) for name, value in pairs]
    if len({name for name, _ in made}) == len(made):
        return Body("form", dict(made)), ""
    # The form repeats a field: write its body as text, because a dict would lose one.
    parts: list[str | Gap] = []
    for name, template in made:
        parts.append(f"{'&' if parts else ''}{quote_plus(name)}=")
        parts += [
            replace(part, place="query") if isinstance(part, Gap) else quote_plus(part)
            for part in template.parts
        ]
    return Body("raw", _joined(parts)), "application/x-www-form-urlencoded"


def _multipart(entry: Entry, values: Values) -> Body:
    parts = entry.parts or _parsed(entry)
    if not parts:
        raise _NotWrittenError("the recording does not have the parts of its form")
    content: dict[str, Json] = {}
    for part in parts:
        if part.file_name:
            media_type = part.media_type or "application/octet-stream"
            # Browsers do not record the contents of a file.
            value = part.value.encode("utf-8", "replace") or b"example"
            content[part.name] = File(part.file_name, value, media_type)
        else:
            content[part.name] = values.of(part.name, part.value)
    return Body("multipart", content)


def _parsed(entry: Entry) -> tuple[Part, ...]:
    """Return the parts of a multipart body that is recorded as text."""
    if not VALUE.fullmatch(entry.media_type):
        return ()
    whole = f"Content-Type: {entry.media_type}\r\n\r\n{entry.body}"
    message = email.message_from_string(whole, policy=email.policy.HTTP)
    payload = message.get_payload()
    parts = (
        [part for part in payload if isinstance(part, Message)]
        if isinstance(payload, list)
        else []
    )
    return tuple(
        Part(
            name=str(name),
            value=str(part.get_payload()).removesuffix("\r\n"),
            file_name=part.get_filename() or "",
            media_type=part.get_content_type(),
        )
        for part in parts
        if (name := part.get_param("name", header="content-disposition"))
    )
