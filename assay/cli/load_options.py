"""The options of `assay load`, as its --help shows them."""

from pathlib import Path
from typing import Annotated

import typer

Locustfile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="An ordinary locustfile; a.py,b.py for several, or a folder of them.",
    ),
]

Host = Annotated[
    str, typer.Option(help="Where the load goes; the user class's if not given.")
]

Rate = Annotated[
    str | None,
    typer.Option(
        help="Arrivals per second: '200', 'ramp 100..500', 'steps 100,200 each "
        "30s', 'spike 100..1000 for 10s', 'soak 50', or a .csv of seconds,rate."
    ),
]

Users = Annotated[
    int | None,
    typer.Option(
        help="Users of a closed loop; with --rate, the most that may be made as they "
        "are needed (100).",
        min=1,
        max=60_000,
    ),
]

SpawnRate = Annotated[
    float | None,
    typer.Option(
        help="Users of a closed loop that come a second; all at once before the load "
        "begins if not given.",
        min=0.001,
    ),
]

Duration = Annotated[str | None, typer.Option(help="How long: 30s, 5m, 1h (60s).")]

Iterations = Annotated[int | None, typer.Option(help="End after so many tasks.", min=1)]

Arrivals = Annotated[str, typer.Option(help="How arrivals come: poisson or even.")]

ThinkTime = Annotated[
    bool, typer.Option("--think-time", help="Let users wait as the file says.")
]

Require = Annotated[
    list[str] | None,
    typer.Option(
        help="A threshold, such as 'latency.p99 <= 50ms', 'errors <= 0.1%', "
        "'rate >= 200/s' or 'latency.p95 of /orders <= 1s'; may be repeated."
    ),
]

FindCapacity = Annotated[
    bool,
    typer.Option(
        "--find-capacity",
        help="Search for the highest rate that meets "
        "--slo; --duration is that of a trial (10s).",
    ),
]

Slo = Annotated[
    str | None,
    typer.Option(help="An objective, such as 'p99 <= 50ms and errors <= 0.1%'."),
]

Most = Annotated[
    float, typer.Option(help="The rate that a search does not exceed.", min=1)
]

Sweep = Annotated[
    str | None,
    typer.Option(
        help="Numbers of users, such as 1,2,4,8,16: how throughput grows with "
        "them; --duration is that of a trial (10s).",
    ),
]

Workers = Annotated[
    int,
    typer.Option(help="Processes of this machine that share the load.", min=1),
]

Master = Annotated[
    bool,
    typer.Option(
        "--master",
        help="Wait for workers of other machines instead, which `assay worker "
        "--join` starts, and say what they do.",
    ),
]

ExpectWorkers = Annotated[
    int | None, typer.Option(help="With --master: how many.", min=1)
]

Bind = Annotated[
    str | None,
    typer.Option(help="With --master: where they join (*:5557).", show_default=False),
]

Drain = Annotated[str, typer.Option(help="How long to wait for answers at the end.")]

Seed = Annotated[int | None, typer.Option(help="Repeats every random choice.")]

Output = Annotated[
    Path | None,
    typer.Option(help="The run directory; under reports/ if not given."),
]

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ARGUMENTS",
        help="After --, for the locustfile: --tags, names of user classes, or options "
        "of its own.",
    ),
]
