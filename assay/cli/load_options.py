"""The options of `assay load`, with the texts that --help shows."""

from pathlib import Path
from typing import Annotated

import typer

Locustfile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A locustfile, several (a.py,b.py), or a folder of them.",
    ),
]

Host = Annotated[
    str,
    typer.Option(help="URL of the server; the user class's host if not given."),
]

Rate = Annotated[
    str | None,
    typer.Option(
        help="Arrivals per second, or '300/min': '200', stages ('0..50 in 2m, 50 for "
        "5m, 50..0 in 1m'), 'ramp 100..500', 'steps 100,200 each 30s', 'spike "
        "100..1000 for 10s', 'soak 50', or a .csv of seconds,rate."
    ),
]

Users = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER|STAGES",
        help="Number of users in a closed loop, or stages of it: '0..50 in 2m, 50 for "
        "5m'. With --rate: the maximum number of users, which are created as needed "
        "(100).",
    ),
]

SpawnRate = Annotated[
    float | None,
    typer.Option(
        help="Users of a closed loop that start per second; if not given, all start "
        "before the load begins.",
        min=0.001,
    ),
]

Duration = Annotated[
    str | None, typer.Option(help="Duration of the load: 30s, 5m, 1h (60s).")
]

Iterations = Annotated[
    int | None, typer.Option(help="Stop after this number of tasks.", min=1)
]

Arrivals = Annotated[
    str, typer.Option(help="Distribution of the arrivals: poisson or even.")
]

ThinkTime = Annotated[
    bool,
    typer.Option(
        "--think-time",
        help="Let users of a closed loop wait between tasks, as the locustfile's "
        "wait_time says.",
    ),
]

Require = Annotated[
    list[str] | None,
    typer.Option(
        help="A requirement, such as 'latency.p99 <= 50ms', 'errors <= 0.1%', "
        "'rate >= 200/s' or 'latency.p95 of /orders <= 1s'; may be repeated."
    ),
]

FindCapacity = Annotated[
    bool,
    typer.Option(
        "--find-capacity",
        help="Search for the highest rate that meets --slo; --duration is the "
        "duration of one trial (10s).",
    ),
]

Slo = Annotated[
    str | None,
    typer.Option(
        help="The objective of --find-capacity, such as 'p99 <= 50ms and errors <= "
        "0.1%'."
    ),
]

Most = Annotated[
    float, typer.Option(help="The highest rate that --find-capacity tries.", min=1)
]

Sweep = Annotated[
    str | None,
    typer.Option(
        help="Measure throughput at several numbers of users, such as 1,2,4,8,16; "
        "--duration is the duration of one trial (10s).",
    ),
]

Workers = Annotated[
    int,
    typer.Option(help="Number of local processes that share the load.", min=1),
]

Master = Annotated[
    bool,
    typer.Option(
        "--master",
        help="Generate the load on other machines: wait for the workers that "
        "`assay worker --join` starts there, and direct them.",
    ),
]

ExpectWorkers = Annotated[
    int | None, typer.Option(help="With --master: the number of workers.", min=1)
]

Bind = Annotated[
    str | None,
    typer.Option(
        help="With --master: the address that workers join (127.0.0.1:5557); '*:5557' "
        "for other machines, with a secret in ASSAY_TOKEN.",
        show_default=False,
    ),
]

Baseline = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="The directory of a former load test, to show its numbers beside these.",
    ),
]

Title = Annotated[
    str, typer.Option(help="The title of the report.", show_default=False)
]

Tag = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="What the report says of this test, such as branch=main; may be repeated.",
    ),
]

Drain = Annotated[
    str, typer.Option(help="How long to wait for outstanding answers at the end.")
]

Seed = Annotated[
    int | None,
    typer.Option(help="Seed of every random choice; a random one if not given."),
]

Output = Annotated[
    Path | None,
    typer.Option(help="The run directory; a new one under reports/ if not given."),
]

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ARGUMENTS",
        help="After --: arguments for the locustfile, such as --tags, names of user "
        "classes, or options of its own.",
    ),
]
