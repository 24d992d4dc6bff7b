"""The beginning of the probe, in every process of a target."""

from __future__ import annotations

import os

from . import allocations, calls, garbage, locks, pools, queries, services
from .environment import ASK, FOLDER, PARTS, PROJECT
from .imports import Imports
from .loops import Loops
from .places import Project
from .totals import Answers, Totals

DEFAULT = ("waits", "queries", "gc")


def start() -> None:
    """Observe what the environment asks for."""
    project = Project(os.environ.get(PROJECT) or os.getcwd())
    parts = os.environ.get(PARTS, ",".join(DEFAULT)).split(",")
    totals = Totals(project)
    answers = Answers(totals, os.environ[FOLDER], ASK)
    imports, loops = Imports(totals), Loops(totals)
    if "waits" in parts:
        locks.observe(totals, imports)
        pools.observe(totals, imports)
        services.observe(totals, imports)
        loops.observe(imports)
    if "queries" in parts:
        queries.observe(totals, imports)
    if "gc" in parts:
        garbage.observe(totals)
    if "calls" in parts:
        calls.observe(totals)
    if "allocations" in parts:
        allocations.observe(totals, answers)
    imports.start()
    answers.start()

    def forked() -> None:
        totals.forget()
        loops.forget()
        answers.start()

    os.register_at_fork(after_in_child=forked)
