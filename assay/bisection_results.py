"""The data types of a search for the commit that made something slower.

GOOD and BAD are the two commits that the user names. GOOD is fast, BAD is slow, and the
search looks for the commit between them that made the difference.
"""

from typing import Literal

from assay.data import Data

BISECTION_SCHEMA = 1
# "unsure": the search ended without a certain answer. "partial": it has not ended.
SearchOutcome = Literal["found", "no change", "unsure", "partial"]


class Quantity(Data):
    """The metric that the search measures for every commit that it tries.

    Attributes:
        topic: Name of the topic.
        test: The node id of a benchmark; empty for a service.
        metric: Name of the metric.
    """

    topic: str
    test: str
    metric: str


class SearchedCommit(Data):
    """A commit that may have made something slower.

    Attributes:
        sha: The full name of the commit.
        subject: The first line of its message.
        weight: How likely this commit is the cause before any commit is measured,
            relative to the others.
    """

    sha: str
    subject: str
    weight: float


class Step(Data):
    """One measurement of a commit against GOOD.

    Attributes:
        sha: The commit.
        log_ratios: log(commit / GOOD), one for each launch; empty if the commit cannot
            be measured.
        problem: Why the commit cannot be measured; empty if it can.
    """

    sha: str
    log_ratios: tuple[float, ...] = ()
    problem: str = ""


class Check(Data):
    """A comparison, as by `assay compare`, of the commits before and after the change.

    Attributes:
        before: The commit before the suspected ones.
        after: The last of the suspected ones.
        run: The run directory of the comparison, relative to the folder of the search;
            empty if the two commits could not be compared.
        verdict: The verdict of the comparison; *undecided* if there was none.
        log_ratios: log(after / before), one for each launch; empty if the two commits
            could not be compared.
    """

    before: str
    after: str
    run: str
    verdict: str
    log_ratios: tuple[float, ...] = ()


class Ends(Data):
    """The comparison of GOOD and BAD, as by `assay compare`.

    Attributes:
        run: Its run directory, relative to the folder of the search.
        verdict: The worst verdict of all topics.
        reason: The reason of each topic's verdict.
        quantity: The quantity that became slower most clearly; None if nothing did.
        log_ratios: log(BAD / GOOD) of the quantity, one for each launch; empty if
            nothing became slower.
    """

    run: str
    verdict: str
    reason: str
    quantity: Quantity | None = None
    log_ratios: tuple[float, ...] = ()


class Request(Data):
    """What the user asked for; only an equal request can continue a search.

    Attributes:
        good: The full name of the commit that is fast.
        bad: The full name of the commit that is slow.
        topics: Names, folders or files of topics.
        benchmarks: Files, folders or nodes of benchmarks.
        only: The metrics that decide; empty for the usual metrics.
        variant: The variant that every commit runs in the topics; empty for the first.
        margin: The largest change that is too small to matter, as a fraction; None for
            the project's margin.
        python: Version or path of the Python of all commits; None for the project's.
        build: The command that installs everything, with its secrets replaced; None if
            lock files are used.
    """

    good: str
    bad: str
    topics: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    variant: str = ""
    margin: float | None = None
    python: str | None = None
    build: str | None = None


class Bisection(Data):
    """The content of bisect.json, which is a public contract.

    Attributes:
        command: The command that continues the search.
        seed: Seed of every random choice.
        request: What the user asked for.
        good: GOOD as the user named it.
        bad: BAD as the user named it.
        commits: The commits after GOOD, up to BAD, oldest first, without those that
            change only documentation.
        ends: The comparison of GOOD and BAD; None if it was not measured yet.
        steps: The measurements of single commits, in the order of measuring.
        checks: The comparisons of suspected commits with the commit before them.
        outcome: The outcome; *partial* until the search has ended.
        suspects: The commits that may have made the difference, oldest first. If the
            outcome is *found*, this is one commit, unless others cannot be measured. If
            it is *unsure*, these are the commits that are still possible.
        probability: The probability that one of the suspects made the difference; 0
            without suspects.
        answer: The outcome in words.
    """

    schema_: int = BISECTION_SCHEMA
    command: str
    seed: int
    request: Request
    good: str
    bad: str
    commits: tuple[SearchedCommit, ...] = ()
    ends: Ends | None = None
    steps: tuple[Step, ...] = ()
    checks: tuple[Check, ...] = ()
    outcome: SearchOutcome = "partial"
    suspects: tuple[str, ...] = ()
    probability: float = 0.0
    answer: str = ""
