"""Write tasks as a locustfile that any Locust can run, in black's layout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from assay.first_topic.names import identifier
from assay.first_topic.python_text import WIDTH, call, comment, docstring, literal
from assay.first_topic.request import (
    Credential,
    File,
    Json,
    Read,
    Request,
    Task,
)

# Methods that the client has a function for.
FUNCTIONS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
INDENT = "    "


@dataclass(frozen=True)
class Journey:
    """The contents of a locustfile.

    Attributes:
        title: The name of the service; empty if it is unknown.
        source: The path or the file that the tasks were read from.
        tasks: The tasks.
        credentials: The environment variables that hold secrets.
        in_order: Whether users run the tasks in this order, as in a recording;
            otherwise they draw them at random.
    """

    title: str
    source: str
    tasks: tuple[Task, ...]
    credentials: tuple[Credential, ...] = ()
    in_order: bool = False

    @property
    def on(self) -> tuple[Task, ...]:
        """The tasks that are switched on."""
        return tuple(task for task in self.tasks if not task.off)


def render(journey: Journey) -> str:
    """Return the text of the locustfile."""
    lines = [
        docstring(_heading(journey))[:-3],
        "",
        "Written by `assay init`, and yours to change. It runs under `assay load` and "
        "under `locust`.",
        '"""',
        "",
        *_imports(journey),
        "",
    ]
    if journey.credentials:
        lines += [
            "# Secrets come from the environment; none belongs in this file.",
            *map(_credential, journey.credentials),
            "",
        ]
    lines += ["", *(_journey(journey) if journey.in_order else _user(journey))]
    return "\n".join(lines) + "\n"


def _heading(journey: Journey) -> str:
    title = journey.title or "the service"
    return f"The requests of {title}, read from {journey.source}"


def _imports(journey: Journey) -> Iterator[str]:
    """Yield the imports that the tasks need, including tasks that are off."""
    quotes = sorted(_quotes(journey.tasks))
    used = set(quotes) == _quotes(journey.on)
    if journey.credentials:
        yield "import os"
    if quotes:
        yield _import("urllib.parse", quotes, used)
    if journey.credentials or quotes:
        yield ""
    names = ["FastHttpUser"] + ["SequentialTaskSet"] * journey.in_order
    names += ["task"] * any(task.request for task in journey.tasks)
    yield _import("locust", names, "task" not in names or bool(journey.on))


def _import(module: str, names: list[str], used: bool) -> str:
    """Return an import, with `noqa` if only commented-out tasks use its names."""
    note = "" if used else "  # noqa: F401"
    return f"from {module} import {', '.join(names)}{note}"


def _quotes(tasks: Sequence[Task]) -> set[str]:
    """Return the names of the functions of `urllib.parse` that tasks use."""
    gaps = (gap for task in tasks if task.request for gap in task.request.gaps())
    functions = {"path": "quote", "query": "quote_plus"}
    return {functions[gap.place] for gap in gaps if gap.place in functions}


def _credential(credential: Credential) -> str:
    name = credential.variable
    return f"# {comment(credential.meaning)}\n" f'{name} = os.environ.get("{name}", "")'


def _user(journey: Journey) -> Iterator[str]:
    """Yield the lines of a user class that draws its tasks at random."""
    yield f"class {_class_name(journey)}(FastHttpUser):"
    yield f'{INDENT}"""Draws one task after the other, each as often as the others."""'
    for task in journey.tasks:
        yield ""
        yield from _task(task)


def _journey(journey: Journey) -> Iterator[str]:
    """Yield the lines of a user class that runs the tasks of a recording in order."""
    yield "class Journey(SequentialTaskSet):"
    yield f'{INDENT}"""The recorded requests, in their order."""'
    for task in journey.tasks:
        yield ""
        yield from _task(task)
    yield ""
    yield ""
    yield f"class {_class_name(journey)}(FastHttpUser):"
    yield f'{INDENT}"""Makes the journey again and again."""'
    yield ""
    yield f"{INDENT}tasks = [Journey]"


def _class_name(journey: Journey) -> str:
    words = identifier(journey.title, "service").split("_")
    # The word "API" says nothing here, since all requests go to a service.
    name = "".join(word.capitalize() for word in words if word != "api") or "Service"
    # A class `FastHttpUser` would hide its base class of the same name.
    return "ServiceUser" if name == "FastHttp" else f"{name}User"


def _task(task: Task) -> Iterator[str]:
    """Yield the lines of a task.

    A task that is off becomes comments, which begin with the reason.
    """
    if not task.off:
        for line in _function(task):
            yield f"{INDENT}{line}" if line else ""
        return
    reason = f"{task.off}; {task.advice}" if task.advice else task.off
    words = f"Off: {comment(task.label)}: {comment(reason)}"
    for line in wrap(words, WIDTH - 6, break_long_words=False, break_on_hyphens=False):
        yield f"{INDENT}# {line}"
    for line in _function(task):
        yield f"{INDENT}# {line}".rstrip()


def _function(task: Task) -> list[str]:
    """Return the lines of a task, not yet indented; none if it has no request."""
    if task.request is None:
        return []
    title = f"{task.label}: {task.title}" if task.title else task.label
    lines = [
        "@task",
        f"def {task.identifier}(self) -> None:",
        f"{INDENT}{docstring(title)}",
    ]
    # The lines will be indented by 8 columns: by 4 for the class, 4 for the function.
    sent = _call(task.request, 8)
    if any(not read.cookie for read in task.request.reads):
        sent = f"answer = {_call(task.request, 8 + len('answer = '))}"
        if "\n" in sent:
            sent = f"answer = {_call(task.request, 8)}"
    lines += [
        f"{INDENT}{line[8:] if n else line}" for n, line in enumerate(sent.split("\n"))
    ]
    if any(read.cookie for read in task.request.reads):
        jar = "{cookie.name: cookie.value for cookie in self.client.cookiejar}"
        lines.append(f"{INDENT}cookies = {jar}")
    return lines + [f"{INDENT}{_read(read)}" for read in task.request.reads]


def _read(read: Read) -> str:
    """Return the line that assigns a value of an answer to an attribute."""
    if read.cookie:
        return f"self.{read.name} = cookies[{literal(read.cookie)}]"
    steps = "".join(f"[{literal(step)}]" for step in read.path)
    return f"self.{read.name} = str(answer.json(){steps})"


def _call(request: Request, indent: int) -> str:
    """Return the call of Locust's client that sends a request."""
    arguments: list[tuple[str, Json]] = [("", request.path)]
    method = request.method
    if method in FUNCTIONS:
        function = f"self.client.{method.lower()}"
    else:
        function = "self.client.request"
        arguments.insert(0, ("", method))
    if request.path.parts != (request.name,):
        arguments.append(("name", request.name))
    if request.headers:
        arguments.append(("headers", dict(request.headers)))
    if request.basic:
        arguments.append(("auth", request.basic))
    if request.body:
        arguments.append(_body(request))
    return call(function, arguments, indent)


def _body(request: Request) -> tuple[str, Json]:
    assert request.body
    kind, content = request.body.kind, request.body.content
    if kind == "json":
        return "json", content
    if kind == "multipart":
        # A part without a file name is a plain field.
        return "files", {
            name: part if isinstance(part, File) else (None, part)
            for name, part in content.items()
        }
    return "data", content
