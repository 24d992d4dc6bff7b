"""A realistic run directory, made without measuring, for the tests of the report."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.analysis import looks
from assay.plan import (
    Budget,
    Claim,
    Plan,
    Scenario,
    Settings,
    Target,
    Topic,
    Variant,
)
from assay.results import (
    BudgetResult,
    Cause,
    ClaimResult,
    Comparison,
    Ledger,
    LedgerPart,
    Outgoing,
    Results,
    Stacks,
    Timeline,
    Value,
)
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic_claims import PAIRS, Row

HOSTILE = "<script>alert(1)</script>|`x`\x1b[31m]]>\x00\ufffe[red]\u202e&\n@you"
FRAMES = (
    "run (uvicorn/main.py)",
    "run_until_complete (asyncio/base_events.py)",
    "__call__ (fastapi/applications.py)",
    "__call__ (starlette/routing.py)",
)


def stacks(topic: str, variant: str, slow: bool) -> Stacks:
    """Return a CPU profile; only a slow variant's has `lazyload`."""
    root, handler = FRAMES, "orders (target_app/practices/n_plus_one.py)"
    base = {
        (*root, handler, "execute (sqlalchemy/orm/session.py)"): 210e-6,
        (
            *(*root, handler, "execute (sqlalchemy/orm/session.py)"),
            "fetch (asyncpg/connection.py)",
        ): 120e-6,
        (*root, handler, "dump (pydantic/main.py)", "encode (json/encoder.py)"): 160e-6,
        (*root, "solve_dependencies (fastapi/dependencies/utils.py)"): 90e-6,
        (*FRAMES[:2], "_run_once (asyncio/base_events.py)"): 60e-6,
    }
    if slow:
        lazy = (*root, handler, "__get__ (sqlalchemy/orm/attributes.py)")
        for index in range(6):
            deep = (*lazy, "lazyload (sqlalchemy/orm/strategies.py)")
            base[(*deep, f"step{index} (sqlalchemy/sql/compiler.py)")] = 80e-6 * (
                index + 1
            )
        base[(*lazy, "lazyload (sqlalchemy/orm/strategies.py)")] = 900e-6
    else:
        base[(*root, handler, "joined (sqlalchemy/orm/strategies.py)")] = 260e-6
    return Stacks(
        topic=topic,
        variant=variant,
        preset="cpu",
        unit="s",
        requests=7962,
        samples=1800,
        total=sum(base.values()),
        stacks=tuple(base.items()),
    )


def timeline(topic: str, variant: str, growing: bool) -> Timeline:
    """A memory profile that is flat, or grows."""
    seconds = np.arange(0, 10, 0.02)
    noise = np.random.default_rng(3).normal(0, 2e5, len(seconds))
    values = 96e6 + 6e6 * (1 - np.exp(-seconds * 2)) + noise
    if growing:
        values = values + 3e6 * seconds
    return Timeline(
        topic=topic,
        variant=variant,
        preset="memory",
        unit="B",
        requests=10_000,
        seconds=tuple(seconds.tolist()),
        values=tuple(values.tolist()),
    )


def build(
    path: Path,
    *,
    topics: Sequence[str] = tuple(PAIRS),
    launches: int = 12,
    partial: bool = False,
    profiled: bool = True,
    sampled: bool = True,
    hostile: bool = False,
    finished: bool = True,
    explained: bool = False,
) -> RunDirectory:
    """Write a run directory.

    Args:
        path: The path of the directory; it must not exist.
        topics: Names of topics in PAIRS.
        launches: The number of launches on disk.
        partial: The field `partial` of results.json.
        profiled: Whether there are profiles.
        sampled: Whether there are samples and slices.
        hostile: Whether names and texts contain an attack.
        finished: Whether there is a results.json.
        explained: Whether there are causes and ledgers.
    """
    wrong = HOSTILE if hostile else ""
    planned, claims, comparisons, values, budgets = [], [], [], [], []
    for name in topics:
        title, baseline, candidate, rows = PAIRS[name]
        baseline, candidate = baseline + wrong, candidate + wrong
        title += wrong
        budget = Budget(
            variant=candidate, metric="latency.p99", at_most=0.05, text="50ms"
        )
        planned.append(
            Topic(
                name=name,
                title=title,
                guide="Performance Optimization" + wrong,
                file=Path("scenarios") / name / "claims.toml",
                target=Target(command="serve --port {port}", cwd=Path(".")),
                scenario=Scenario(locustfile=Path("locustfile.py")),
                variants=(Variant(name=baseline), Variant(name=candidate)),
                claims=tuple(
                    Claim(
                        says=says + wrong,
                        baseline=baseline,
                        candidate=candidate,
                        metric=metric,
                        expect=expect,
                    )
                    for says, metric, expect, *_ in rows
                ),
                budgets=(budget,) if name == "caching" else (),
            )
        )
        if name == "caching":
            budgets.append(
                BudgetResult(
                    topic=name,
                    variant=candidate,
                    metric="latency.p99",
                    at_most=0.05,
                    value=0.031,
                    high=0.034,
                    verdict="holds",
                )
            )
        claims += [
            ClaimResult.model_validate(
                {
                    "topic": name,
                    "says": says + wrong,
                    "baseline": baseline,
                    "candidate": candidate,
                    "metric": metric,
                    "expect": expect.text,
                    "verdict": verdict,
                    "alone": verdict,
                    "reason": (
                        "the whole interval is on one side" + wrong
                        if verdict != "undecided"
                        else "the interval holds the bound; time was up"
                    ),
                }
            )
            for says, metric, expect, _, _, verdict, _ in rows
        ]
        compared, both = _numbers(name, baseline, candidate, rows, launches)
        comparisons += compared
        values += both
    plan = Plan(
        topics=tuple(planned),
        settings=Settings(seed=7),
        command="assay run " + " ".join(topics) + wrong,
    )
    run = RunDirectory.create(path, plan, _environment(wrong))
    for name in topics:
        _, baseline, candidate, _ = PAIRS[name]
        for launch in range(1, launches + 1):
            _launch(
                run,
                name,
                launch,
                (baseline + wrong, candidate + wrong),
                sampled,
                values,
            )
        if profiled:
            for variant, slow in ((baseline + wrong, True), (candidate + wrong, False)):
                profile = stacks(name, variant, slow)
                grown = timeline(name, variant, slow and name == "caching")
                if hostile:
                    frame = f"evil{HOSTILE} (<b>.py)"
                    profile = profile.model_copy(
                        update={
                            "stacks": (*profile.stacks, ((*FRAMES, frame), 3e-4)),
                            "notes": (HOSTILE,),
                        }
                    )
                _keep(run, profile, f"{name}-{slow}-cpu")
                _keep(run, grown, f"{name}-{slow}-memory")
    if finished:
        run.write_results(
            Results(
                run=run.name,
                partial=partial,
                seed=7,
                looks=looks.looks_of(run.plan()).launches,
                comparisons=tuple(comparisons),
                claims=tuple(claims),
                budgets=tuple(budgets),
                values=tuple(values),
                **(explanations(planned, wrong) if explained else {}),
                warnings=(
                    "n_plus_one: 9 % of the blocks were disturbed and repeated; "
                    "close other programs for narrower intervals." + wrong,
                ),
            )
        )
    return run


def explanations(topics: Sequence[Topic], wrong: str) -> dict[str, Any]:
    """Return causes, ledgers and what is sent, for the first pair of every topic."""
    found: dict[str, list[Any]] = {"causes": [], "ledgers": [], "outgoing": []}
    for topic in topics:
        baseline, candidate = topic.pairs()[0]
        names = {"topic": topic.name, "baseline": baseline, "candidate": candidate}
        for kind, amount in (("queries", -0.0031), ("connection pool", -0.0007)):
            cause = Cause(
                **names,
                metric="latency.mean",
                kind=kind,
                where=f"load{wrong} (app/sales{wrong}.py:31)",
                holder=f"settle{wrong} (app/pay.py:7)",
                amount=amount,
                low=amount * 1.1,
                high=amount * 0.9,
                share=0.7,
                sentence=f"Each request spends 3.1 ms less in {kind}{wrong}.",
            )
            found["causes"].append(cause)
        parts = [
            ("cpu", 0.002, 0.0015),
            ("queries", 0.004, 0.0009),
            ("connection pool", 0.001, 0.0003),
            ("unexplained", 0.0005, -0.0001),
        ]
        found["ledgers"].append(
            Ledger(
                **names,
                latency=ledger_part("latency", 0.0075, 0.0026),
                parts=tuple(ledger_part(*part) for part in parts),
            )
        )
        for number in range(3):
            sent = Outgoing(
                **names,
                kind="query",
                text=f"select name{wrong} from item where id = ? limit {number}",
                where=f"load{wrong} (app/sales.py:31)",
                counts=(16.0, 1.0),
                seconds=(0.004, 0.0009),
            )
            found["outgoing"].append(sent)
    return {key: tuple(items) for key, items in found.items()}


def ledger_part(name: str, baseline: float, candidate: float) -> LedgerPart:
    """Return a part whose interval is a tenth of its amount on each side."""
    amount = candidate - baseline
    half = abs(amount) / 10
    return LedgerPart(
        name=name,
        baseline=baseline,
        candidate=candidate,
        amount=amount,
        low=amount - half,
        high=amount + half,
    )


def _keep(run: RunDirectory, profile: Stacks | Timeline, name: str) -> None:
    # A hostile variant's name is not a valid file name; the report reads all files.
    run.write_text(f"profiles/{name}.json", profile.model_dump_json())


def _numbers(
    name: str, baseline: str, candidate: str, rows: list[Row], launches: int
) -> tuple[list[Comparison], list[Value]]:
    claimed = {
        metric: (ratio, half, word) for _, metric, _, ratio, half, _, word in rows
    }
    typical = {
        "latency.mean": (0.0142, 0.09),
        "latency.p50": (0.0121, 0.06),
        "latency.p95": (0.031, 0.2),
        "latency.p99": (0.047, 0.4),
        "service.p50": (0.0098, 0.02),
        "throughput": (412.0, 0.02),
        "cpu_per_request": (0.00312, 0.015),
        "errors": (0.0, 0.0),
        "memory.peak": (103e6, 0.01),
    }
    speed = next(iter(claimed.values()))[0]
    if rows[0][1] == "throughput":
        speed = 1 / speed
    comparisons, values = [], []
    for metric, (value, spread) in typical.items():
        ratio, half, verdict = claimed.get(
            metric,
            (1 / speed if metric == "throughput" else speed, spread + 0.01, None),
        )
        if metric in ("memory.peak", "errors"):
            ratio = 1.02
        comparisons.append(
            Comparison.model_validate(
                {
                    "topic": name,
                    "baseline": baseline,
                    "candidate": candidate,
                    "metric": metric,
                    "ratio": None if metric == "errors" else ratio,
                    "low": None if metric == "errors" else ratio * math.exp(-half),
                    "high": None if metric == "errors" else ratio * math.exp(half),
                    "launches": launches,
                    "dropped_blocks": 3,
                    "verdict": verdict,
                }
            )
        )
        for variant, number in ((baseline, value), (candidate, value * ratio)):
            values.append(
                Value(
                    topic=name,
                    variant=variant,
                    metric=metric,
                    value=number,
                    low=number * math.exp(-spread),
                    high=number * math.exp(spread),
                    launches=launches,
                )
            )
    return comparisons, values


def _launch(
    run: RunDirectory,
    topic: str,
    launch: int,
    pair: tuple[str, str],
    sampled: bool,
    values: Sequence[Value],
) -> None:
    random = np.random.default_rng([launch, len(topic)])
    known = {(v.variant, v.metric): v.value for v in values if v.topic == topic}
    rows: list[dict[str, object]] = [
        {
            "topic": topic,
            "launch": launch,
            "variant": variant,
            "metric": metric,
            "value": value * math.exp(random.normal(0, 0.03)),
        }
        for (variant, metric), value in known.items()
    ]
    if not sampled:
        run.append_launch(topic, launch, [], rows, None)
        return
    slices: list[dict[str, object]] = []
    frames = []
    for block in range(4):
        for position, variant in enumerate(pair):
            started = launch * 7.0 + block + position * 0.4
            planned = 120
            scheduled = np.sort(started + random.uniform(0, 0.35, planned))
            median = known[(variant, "latency.p50")]
            latency = median * random.lognormal(0, 0.45, planned)
            latency[random.uniform(size=planned) < 0.02] *= 4
            frames.append(
                pd.DataFrame(
                    {
                        "launch": launch,
                        "block": block,
                        "variant": variant,
                        "mode": "open",
                        "scheduled": scheduled,
                        "start": scheduled,
                        "end": scheduled + latency,
                        "name": "GET /orders",
                        "failed": False,
                        "disturbed": block == 3 and launch % 4 == 0,
                    }
                )
            )
            slices.append(
                {
                    "topic": topic,
                    "launch": launch,
                    "block": block,
                    "position": position,
                    "variant": variant,
                    "mode": "open",
                    "started": started,
                    "duration": 0.35,
                    "planned": planned,
                    "done": planned,
                    "dropped": 0,
                    "unserved": 0,
                    "requests": planned,
                    "failed": 0,
                    "rate": planned / 0.35,
                    "users": 32,
                    "cpu": 0.15,
                    "run_delay": 0.001,
                    "generator_cpu": 0.08,
                    "lag_p99": 0.0004,
                    "disturbed": block == 3 and launch % 4 == 0,
                }
            )
    run.append_launch(topic, launch, slices, rows, pd.concat(frames))


def _environment(wrong: str) -> dict[str, object]:
    return {
        "assay": "0.1.0",
        "python": "3.12.1",
        "platform": "Linux-6.1-x86_64" + wrong,
        "cpu": "A Processor, 2 cores",
        "cores": {"target": [0], "generator": [1]},
        "pinned": True,
        "versions": {"fastapi": "0.165", "locust": "2.47.0", "py-spy": "0.4.3"},
        "git": None,
        "started": "2026-11-23T10:15:02+00:00",
        "seconds": 431.2,
    }
