"""Tasks that are switched off can be switched on."""

import re
import subprocess
import sys

import pytest

from assay.first_topic.locustfile import Journey, render
from assay.first_topic.request import Credential, Gap, Request, Task, Template

SECRET = Credential("TOKEN", "the token")


def task(name: str, off: str, place: str = "") -> Task:
    """Return a task; its path has a gap if there is a place."""
    gap = Gap("TOKEN", "environment", "query" if place == "query" else "path")
    path = Template(("/", gap) if place else (f"/{name}",))
    request = Request("GET", path, f"/{name}")
    return Task(name, "", f"GET /{name}", request, off, "look" if off else "")


def switched_on(written: str) -> str:
    """Return the file with every comment that is code made code again."""
    lines = []
    for line in written.splitlines():
        code = re.match(r"    # (@task|def |    .*)", line)
        lines.append(line.replace("# ", "", 1) if code else line)
    return "\n".join(lines) + "\n"


def complaints(source: str) -> str:
    """Return what flake8 says about unknown and unused names."""
    done = subprocess.run(
        [sys.executable, "-m", "flake8", "--isolated", "--select=F,E9", "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize(
    "tasks",
    [
        (task("a", "it answered 500"),),
        (task("a", ""), task("b", "it answered 404", "path")),
        (task("a", "", "path"), task("b", "it changes data", "query")),
        (task("a", "off", "path"), task("b", "off", "query")),
    ],
)
def test_what_is_off_has_its_imports(tasks: tuple[Task, ...], in_order: bool) -> None:
    written = render(Journey("A shop", "/openapi.json", tasks, (SECRET,), in_order))
    assert complaints(written) == ""
    every = switched_on(written)
    assert every.count("    @task\n") == len(tasks)
    assert complaints(every) == ""


def test_what_nothing_needs_is_not_imported() -> None:
    nothing = Task("c", "", "GET /c", None, "it cannot be made", "write it")
    written = render(Journey("A shop", "x", (nothing,)))
    assert "from locust import FastHttpUser\n" in written
    assert "noqa" not in written and "quote" not in written
