"""Write profiles and causes in formats of other tools, next to the report."""

from __future__ import annotations

import json
import marshal
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from assay.analysis.attribution.stacks import from_rounds, split_frame
from assay.observations import Round
from assay.report import explanation
from assay.results import Stacks
from assay.run_directory.run import RunDirectory

FOLDER = "exports"
CAUSES = "causes.json"
NANOSECONDS = 1e9

type Function = tuple[str, int, str]  # file, line and name, as in pstats
type Timing = tuple[int, int, float, float]  # calls (twice), own and total seconds


def write(run: RunDirectory) -> list[Path]:
    """Write all exports of a run that was profiled in rounds; return the files.

    Raises:
        NotARunError: The run directory is damaged.
    """
    written = []
    for name, profile in profiles(run).items():
        path = f"{FOLDER}/{name}"
        written += [
            run.write_text(f"{path}.collapsed.txt", collapsed(profile)),
            run.write_text(f"{path}.speedscope.json", speedscope(profile)),
            run.write_bytes(f"{path}.pstats", marshal.dumps(pstats(profile))),
        ]
    if run.rounds():
        results = run.results()
        causes = explanation.to_json(results, explanation.pairs(results))
        written.append(run.write_text(f"{FOLDER}/{CAUSES}", causes))
    return written


def profiles(run: RunDirectory) -> dict[str, Stacks]:
    """Return the CPU profiles by name: one for each side of each profiled pair."""
    rounds: dict[str, list[Round]] = defaultdict(list)
    for one in run.rounds():
        if one.purpose == "load":
            pair = f"{one.topic}.{one.baseline}.{one.candidate}"
            rounds[f"{pair}.{one.variant}"].append(one)
    merged = {name: from_rounds(of_side) for name, of_side in rounds.items()}
    return {name: profile for name, profile in merged.items() if profile}


def links(
    topic: str, pair: tuple[str, str], rounds: Sequence[Round]
) -> list[tuple[str, str]]:
    """Return text and relative address of each link from the report to an export.

    Args:
        topic: The topic's name.
        pair: Baseline and candidate.
        rounds: The pair's rounds; a side without samples of CPU time has no profile.
    """
    if not rounds:
        return []
    sampled = {one.variant for one in rounds if one.samples}
    kinds = (
        ("collapsed stacks", "collapsed.txt"),
        ("speedscope", "speedscope.json"),
        ("pstats", "pstats"),
    )
    written = [
        (
            f"{text} of {side}",
            f"{FOLDER}/{quote('.'.join((topic, *pair, name)))}.{ending}",
        )
        for text, ending in kinds
        for side, name in zip("AB", pair, strict=True)
        if name in sampled
    ]
    return [*written, ("causes.json", f"{FOLDER}/{CAUSES}")]


def collapsed(profile: Stacks) -> str:
    """Return one line per stack, root first, with its nanoseconds per request.

    flamegraph.pl, inferno and speedscope read this format.
    """
    lines = [
        f"{';'.join(frame.replace(';', ',') for frame in stack)} {value}\n"
        for stack, seconds in profile.stacks
        if (value := round(seconds * NANOSECONDS))
    ]
    return "".join(lines)


def speedscope(profile: Stacks) -> str:
    """Return the profile in the format of speedscope.app, in seconds per request."""
    numbers: dict[str, int] = {}
    samples, weights = [], []
    for stack, seconds in profile.stacks:
        samples.append([numbers.setdefault(frame, len(numbers)) for frame in stack])
        weights.append(seconds)
    frames = []
    for frame in numbers:
        name, file = split_frame(frame)
        frames.append({"name": name, "file": file} if file else {"name": name})
    title = f"{profile.topic}: {profile.variant}, CPU time per request"
    return json.dumps(
        {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "exporter": "assay",
            "name": title,
            "activeProfileIndex": 0,
            "shared": {"frames": frames},
            "profiles": [
                {
                    "type": "sampled",
                    "name": title,
                    "unit": "seconds",
                    "startValue": 0,
                    "endValue": sum(weights),
                    "samples": samples,
                    "weights": weights,
                }
            ],
        }
    )


def pstats(
    profile: Stacks,
) -> dict[Function, tuple[int, int, float, float, Mapping[Function, Timing]]]:
    """Return the profile in the structure of pstats.

    If `marshal` writes this structure to a file, snakeviz can read the file. Each
    function has two numbers of calls, its own seconds, its seconds with everything that
    it called, and the same four numbers for each caller. Seconds are per request. A
    sampled profile has no numbers of calls, so numbers of samples take their place.
    """
    own: dict[Function, float] = defaultdict(float)
    whole: dict[Function, float] = defaultdict(float)
    called: dict[Function, dict[Function, float]] = defaultdict(
        lambda: defaultdict(float)
    )
    for stack, seconds in profile.stacks:
        functions = [_function(frame) for frame in stack]
        own[functions[-1]] += seconds
        for function in dict.fromkeys(functions):
            whole[function] += seconds
        for caller, function in dict.fromkeys(_calls(functions)):
            called[function][caller] += seconds
    each = profile.samples / profile.total if profile.total else 0.0
    return {
        function: (
            round(seconds * each),
            round(seconds * each),
            own[function],
            seconds,
            {
                caller: (round(part * each), round(part * each), 0.0, part)
                for caller, part in called[function].items()
            },
        )
        for function, seconds in whole.items()
    }


def _calls(functions: list[Function]) -> Iterator[tuple[Function, Function]]:
    for caller, function in zip(functions, functions[1:], strict=False):
        if caller != function:
            yield caller, function


def _function(frame: str) -> Function:
    name, file = split_frame(frame)
    return file or "~", 0, name
