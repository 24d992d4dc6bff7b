"""Start the probe in a process of a target."""

from __future__ import annotations

import os

from . import (
    allocations,
    calls,
    connects,
    garbage,
    locks,
    pools,
    queries,
    services,
    startup,
    threads,
)
from .awaits import Awaits
from .environment import ASK, FILES, FOLDER, PACKAGES, PARTS, PROJECT
from .imports import Imports
from .loops import Loops
from .places import Project
from .totals import Answers, Totals
from .waits import Waits

DEFAULT = ("waits", "queries", "gc")


def start() -> None:
    """Start the parts of the probe that the environment names, by default `DEFAULT`.

    A forked process begins with empty totals.
    """
    roots = (os.environ.get(PROJECT) or os.getcwd()).split(os.pathsep)
    packages = os.environ.get(PACKAGES, "").split(os.pathsep)
    project = Project(roots, [folder for folder in packages if folder])
    parts = os.environ.get(PARTS, ",".join(DEFAULT)).split(",")
    totals = Totals(project)
    answers = Answers(totals, os.environ[FOLDER], ASK, FILES in parts)
    imports, loops, waits = Imports(totals), Loops(totals), Waits(totals)
    if "waits" in parts:
        locks.observe(totals, imports)
        threads.observe(imports, waits)
        pools.observe(totals, imports)
        services.observe(totals, imports)
        loops.observe(imports)
        awaits = Awaits(totals, loops)
        loops.child = awaits.child
        awaits.observe(imports)
    if "queries" in parts:
        queries.observe(totals, imports)
        connects.observe(totals, imports)
    if "gc" in parts:
        garbage.observe(totals)
    if "calls" in parts:
        calls.observe(totals)
    if "allocations" in parts:
        allocations.observe(totals, answers)
    if "startup" in parts:
        startup.observe(totals, answers)
    imports.start()
    answers.start()

    def forked() -> None:
        totals.forget()
        loops.forget()
        waits.forget()
        answers.start()

    os.register_at_fork(after_in_child=forked)
