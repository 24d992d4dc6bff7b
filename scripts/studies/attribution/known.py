"""The cases of the study: what was planted in each, and what an answer must name."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One service, with a planted cause or without one.

    Attributes:
        name: The name of its file in `cases`, without ``.py``.
        kind: The kind of the planted cause; empty if none was planted.
        names: The first cause that Assay reports must contain one of these, in its
            place or its sentence.
        bytes_kept: The bytes of memory that each request leaves behind.
        server: `uvicorn` or `flask`.
        calls: Whether the service calls the companion in ``upstream.py``.
        metric: The metric of the topic's only claim; empty for a topic without claims.
    """

    name: str
    kind: str = ""
    names: tuple[str, ...] = ()
    bytes_kept: float = 0.0
    server: str = "uvicorn"
    calls: bool = False
    metric: str = ""


CASES = (
    Case("thread_limit", "thread pool", ("read_report",)),
    Case("pool_sync", "connection pool", ("pay", "settle_account")),
    Case("pool_async", "connection pool", ("order", "notify")),
    Case("logging_lock", "lock", ("Audit.emit",)),
    Case("async_lock", "lock", ("read_rates", "refresh")),
    Case("semaphore_flask", "lock", ("thumbnail", "resize"), server="flask"),
    Case("blocking_sleep", "blocked event loop", ("pause",)),
    Case("blocking_rare", "blocked event loop", ("flush",)),
    Case("more_queries", "queries", ("load_names",)),
    Case("slower_query", "queries", ("load_sales",)),
    Case("own_cpu", "cpu", ("score",)),
    Case("library_cpu", "cpu", ("jsonable_encoder",)),
    Case("garbage", "garbage collection", ("tidy",)),
    Case("middlewares", "cpu", ("starlette/middleware/base.py",)),
    Case("thread_hops", "thread pool", ("user", "tenant", "locale", "flags")),
    Case("more_calls", "other services", ("read_prices",), calls=True),
    Case("blocking_call", "blocked event loop", ("fetch_rate",), calls=True),
    Case("client_each", "cpu", ("fetch_stock",), calls=True),
    Case("gather_pool", "connection pool", ("read_all",), calls=True),
    Case("flask_threads", "thread pool", ("render", "page"), server="flask"),
    Case("two_causes", "cpu", ("weigh",)),
    Case(
        "cache_leak",
        "memory growth",
        ("cache_leak.py:15",),
        # The value and its key.
        bytes_kept=sys.getsizeof(bytes(6_000)) + sys.getsizeof(10**6),
    ),
    Case("heavy_import", "start-up", ("prepare",), metric="startup"),
    Case("many_calls", "calls", ("price",)),
    Case("sleep_in_thread", "unexplained", ("settle",)),
    Case("pause", "unexplained", ("poll",)),
    Case("one_by_one", "other services", ("one after the other",), calls=True),
)
SILENT = (
    Case("identical"),
    Case("moved"),
    Case("renamed"),
    Case("wrapper"),
    Case("warm_up"),
    Case("unused_pool"),
    Case("other_folder"),
    Case("spare_threads"),
)

COMMANDS = {
    "uvicorn": "python -m uvicorn {name}:app --port {{port}} --no-access-log",
    "flask": "python -m flask --app {name} run --port {{port}} --with-threads",
}
COMPANION = """
[companions.upstream]
command = "python upstream.py {port}"
variable = "UPSTREAM"
"""
TOPIC = """\
title = "{name}"

[target]
command = "{command}"

[scenario]
locustfile = "locustfile.py"
load = {{ users = 4, utilisation = 0.5 }}

[variants]
base = {{ env = {{ SIDE = "a", STOPWATCH = "{folder}/base" }} }}
head = {{ env = {{ SIDE = "b", STOPWATCH = "{folder}/head" }} }}
"""
CLAIM = """
[[claims]]
says = "It stays as it is"
baseline = "base"
candidate = "head"
metric = "{metric}"
expect = "same"
"""
LOCUSTFILE = """\
from locust import task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    @task
    def visit(self):
        self.client.get("/")
"""
