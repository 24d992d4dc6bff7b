"""The claims of the synthetic run, each with its result."""

import math

from assay.plan import Expectation

# (says, metric, expectation, ratio, relative half width, claim's verdict, verdict)
Row = tuple[str, str, Expectation, float, float, str, str]

AT_MOST_30 = Expectation(text="<= 0.30", high=math.log(0.30))
FASTER = Expectation(text="faster", high=0.0)
MORE = Expectation(text=">= 3", low=math.log(3))
SAME = Expectation(text="same", low=-math.log(1.05), high=math.log(1.05))

PAIRS: dict[str, tuple[str, str, str, list[Row]]] = {
    "caching": (
        "Cache what is read often",
        "uncached",
        "redis",
        [
            (
                "Caching frequently read data in Redis cuts the mean response time "
                "by 70 %",
                "latency.mean",
                AT_MOST_30,
                0.21,
                0.08,
                "holds",
                "faster",
            ),
            (
                "Redis caching triples the request throughput",
                "throughput",
                MORE,
                8.4,
                0.03,
                "holds",
                "faster",
            ),
        ],
    ),
    "sync_async": (
        "Asynchronous database access",
        "def-psycopg",
        "async-asyncpg",
        [
            (
                "Asynchronous database queries make a point read faster",
                "latency.p50",
                FASTER,
                1.01,
                0.02,
                "refuted",
                "same",
            ),
            (
                "Switching to asyncpg triples the throughput",
                "throughput",
                MORE,
                1.02,
                0.015,
                "refuted",
                "same",
            ),
        ],
    ),
    "blocking": (
        "Do not block the event loop",
        "sleep-in-async",
        "to-thread",
        [
            (
                "Run blocking I/O in thread pools: throughput rises",
                "throughput",
                MORE,
                61.0,
                0.05,
                "holds",
                "faster",
            ),
        ],
    ),
    "n_plus_one": (
        "Load related objects together",
        "lazy",
        "joined",
        [
            (
                "Joined loading lowers CPU time per request",
                "cpu_per_request",
                FASTER,
                0.37,
                0.03,
                "holds",
                "faster",
            ),
            (
                "Joined loading halves the 99th percentile",
                "latency.p99",
                Expectation(text="<= 0.5", high=math.log(0.5)),
                0.49,
                0.45,
                "undecided",
                "undecided",
            ),
        ],
    ),
    "aiosqlite": (
        "SQLite, asynchronously",
        "def-sqlite",
        "aiosqlite",
        [
            (
                "aiosqlite is faster than SQLite from a thread pool",
                "throughput",
                Expectation(text="faster", low=0.0),
                0.76,
                0.03,
                "refuted",
                "slower",
            ),
            (
                "aiosqlite needs no more CPU",
                "cpu_per_request",
                SAME,
                1.28,
                0.04,
                "refuted",
                "slower",
            ),
        ],
    ),
}
