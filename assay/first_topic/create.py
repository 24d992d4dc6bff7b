"""Write a first topic: look at a service, try its requests, and write two files."""

import ast
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from assay import services
from assay.errors import InputError
from assay.experiment.commands import prepare
from assay.first_topic import claims, locustfile, routes, service, trial
from assay.first_topic.claims import FirstTarget
from assay.first_topic.har import journey as har_journey
from assay.first_topic.har import recording
from assay.first_topic.locustfile import Journey
from assay.first_topic.openapi import operations
from assay.first_topic.openapi.document import Document
from assay.first_topic.request import SAFE_METHODS, Request, Task, text
from assay.first_topic.service import Service
from assay.first_topic.target import Asked, Start, started
from assay.inputs.loader import CLAIMS_FILE
from assay.plan import Scenario, Target, Topic, Variant
from assay.system import processes, redaction

CHANGES = "it changes data"
DELETES = "it deletes data"
# At most this many requests are tried to choose the prefix of all paths, and at most
# this many paths are tried to find one for `ready`.
MOST_TRIED = 10
Say = Callable[[str], None]


@dataclass(frozen=True)
class Created:
    """The files that were written, and what they contain.

    Attributes:
        claims: The path of claims.toml.
        locustfile: The path of the locustfile.
        tasks: The tasks of the locustfile, also those that are off.
        started: How the service is started.
        notes: What else the user must know, one sentence each.
    """

    claims: Path
    locustfile: Path
    tasks: tuple[Task, ...]
    started: FirstTarget
    notes: tuple[str, ...] = ()

    @property
    def on(self) -> int:
        """The number of tasks that are switched on."""
        return sum(not task.off for task in self.tasks)


def create(asked: Asked, here: Path, say: Say) -> Created:
    """Write a first topic.

    Args:
        asked: What the user typed.
        here: The working directory.
        say: Called with a description of each step.

    Raises:
        InputError: An option or one of the user's files is wrong, or a file would be
            overwritten.
        MeasureError: The service, a service that it needs, or its `prepare` command
            fails.
    """
    folder = here / asked.output
    files = folder / CLAIMS_FILE, folder / claims.LOCUSTFILE
    _check_free(files, asked.force)
    start = started(asked, here)
    target = start.target
    # Read the recording before anything is started: it may be invalid.
    recorded = _recorded(asked, here / asked.har) if asked.har else None
    say(f"service: {start.sentence}")
    with _scratch() as scratch, _running(target, here, folder, scratch) as running:
        journey, notes = recorded or _described(asked, here, running, start, scratch)
        ready = service.ready_path(running, asked.ready, _plain_paths(journey))
        say(f"trying {len(journey.on)} of {len(journey.tasks)} requests")
        tried = trial.run(running.url, journey.tasks, journey.in_order)
    journey = replace(journey, tasks=tried)
    title = journey.title or here.name
    contents = (
        claims.render(title, replace(target, ready=ready)),
        locustfile.render(replace(journey, title=title)),
    )
    _write(files, contents)
    if any(redaction.command(line) != line for line in (asked.command, asked.prepare)):
        notes.append(
            "what looks like a secret in a command is now in claims.toml; put it into "
            "an environment variable, which the service inherits"
        )
    return Created(*files, tried, target, tuple(notes))


def _plain_paths(journey: Journey) -> list[str]:
    """Return the paths of requests that need no headers, secrets or earlier answers.

    At most `MOST_TRIED` paths of GET requests are returned, shortest first. The path
    of the OpenAPI document comes last, if the service has one.
    """
    requests = [task.request for task in journey.on if task.request]
    paths = [
        request.path.filled({})
        for request in requests
        if request.method == "GET" and not (request.headers or request.gaps())
    ]
    # A long path often names a single item, which may be deleted one day.
    paths = sorted(paths, key=len)[:MOST_TRIED]
    return paths + [journey.source] * journey.source.startswith("/")


def _check_free(files: tuple[Path, Path], force: bool) -> None:
    """Check that no existing file would be overwritten.

    Raises:
        InputError: A file exists, and the user did not type --force.
    """
    existing = [str(file) for file in files if os.path.lexists(file)]
    if existing and not force:
        raise InputError(
            f"{' and '.join(existing)} exist{'s' * (len(existing) == 1)} already; type "
            "--output DIR for another folder, or --force to write over "
            f"{'it' if len(existing) == 1 else 'them'}"
        )


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yield a temporary folder, with a guard that ends all children if Assay dies."""
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        with processes.guarded([Path(folder)]):
            yield Path(folder)


@contextmanager
def _running(
    written: FirstTarget, here: Path, folder: Path, scratch: Path
) -> Iterator[Service]:
    """Start the service and what it needs, and yield it once it accepts connections."""
    target = Target(
        command=written.command or None,
        url=written.url or None,
        env=written.env,
        cwd=here,
        needs=written.needs,
        prepare=written.prepare or None,
    )
    topic = Topic(
        name="init",
        title="init",
        file=folder / CLAIMS_FILE,
        target=target,
        scenario=Scenario(locustfile=folder / claims.LOCUSTFILE),
        variants=(Variant(name="service"),),
    )
    with ExitStack() as stack:
        environment = stack.enter_context(services.running(written.needs))
        prepare(topic, environment, scratch)
        yield stack.enter_context(service.running(target, environment, scratch))


def _described(
    asked: Asked, here: Path, running: Service, start: Start, scratch: Path
) -> tuple[Journey, list[str]]:
    """Return the journey from the service's OpenAPI document, and notes for the user.

    A Flask app without a document gets a request for each of its routes. Any other
    service without a document gets a single request, to its ready path.
    """
    notes = []
    document = service.find_document(running, asked.openapi, here)
    if (
        document is None
        and start.app
        and start.served
        and "Flask" in start.app.framework
    ):
        document = routes.of_flask(
            start.served, start.app.spec, here, running.env, scratch
        )
        notes = [
            "no OpenAPI document was found, so the requests are the routes of the app, "
            "with made-up values: put real ones into the locustfile"
        ]
    if document is None:
        path = service.ready_path(running, asked.ready)
        task = Task("ready", "", f"GET {path}", Request("GET", text(path), path))
        note = (
            "no OpenAPI document was found, so the locustfile has one request; name "
            "the document with --openapi FILE or --openapi /PATH, or record a HAR file "
            "in a browser and type --from-har FILE"
        )
        return Journey("", path, (task,)), [note]
    prefix = _prefix(document, running)
    tasks, credentials = operations.tasks(document, prefix)
    tasks = tuple(_switched(task, asked) for task in tasks)
    return Journey(document.title, document.source, tasks, credentials), notes


def _recorded(asked: Asked, file: Path) -> tuple[Journey, list[str]]:
    """Return the journey from a HAR file, and notes for the user."""
    recorded = recording.read(file, urlsplit(asked.url).netloc)
    tasks, credentials = har_journey.tasks(recorded)
    # A journey fails without its log-in, which is usually a POST request. So requests
    # that change data are on. DELETE still needs --with-delete.
    allowed = replace(asked, with_writes=True)
    tasks = tuple(_switched(task, allowed) for task in tasks)
    notes = []
    if recorded.left_out:
        notes.append(
            f"the locustfile has the requests to {recorded.host}; left out: "
            f"{recorded.left_out}"
        )
    if cookies := har_journey.unset_cookies(recorded):
        notes.append(
            f"the recording begins with the cookies {', '.join(sorted(cookies))}; no "
            "recorded answer sets them. If requests are refused, record from the "
            "log-in on"
        )
    return Journey("", file.name, tasks, credentials, in_order=True), notes


def _prefix(document: Document, running: Service) -> str:
    """Return the prefix of the service's paths: the document's, or none.

    A document may give the public prefix, which a proxy removes before it forwards a
    request. So the GET requests are tried with and without it, and the prefix with more
    answers other than 404 is taken.
    """
    if not document.prefix:
        return ""
    answered = {}
    for prefix in (document.prefix, ""):
        tasks, _ = operations.tasks(document, prefix)
        safe = [
            replace(task, off="")
            for task in tasks
            if task.request and task.request.method == "GET" and not task.off
        ]
        tried = trial.run(running.url, safe[:MOST_TRIED], False)
        # A task without an answer has words, such as "no answer", as its status.
        answered[prefix] = sum(
            task.status.isdigit() and task.status != "404" for task in tried
        )
    return max(answered, key=lambda prefix: answered[prefix])


def _switched(task: Task, asked: Asked) -> Task:
    """Switch a task off if the user has not allowed its method.

    OPTIONS and TRACE are always off.
    """
    request = task.request
    if task.off or request is None or request.method in SAFE_METHODS:
        return task
    if request.method in ("OPTIONS", "TRACE"):
        return replace(task, off="users do not send this method")
    if request.method == "DELETE":
        if asked.with_delete:
            return task
        return replace(task, off=DELETES, advice="--with-delete switches it on")
    if asked.with_writes:
        return task
    return replace(task, off=CHANGES, advice="--with-writes switches it on")


def _write(files: tuple[Path, Path], contents: tuple[str, str]) -> None:
    """Write both files, after a check that their TOML and Python are valid.

    Raises:
        InputError: The folder cannot be written.
    """
    tomllib.loads(contents[0])
    ast.parse(contents[1])
    try:
        files[0].parent.mkdir(parents=True, exist_ok=True)
        for file, content in zip(files, contents, strict=True):
            file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--output: {error}") from error
