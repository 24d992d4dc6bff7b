"""A search for the commit that made something slower: plain frozen data types."""

from typing import Literal

from assay.data import Data

BISECTION_SCHEMA = 1
# The last two: no commit is known to be the one; the search was stopped.
SearchOutcome = Literal["found", "no change", "unsure", "partial"]


class Quantity(Data):
    """What is measured of every commit.

    Attributes:
        topic: The topic.
        test: The node id of a benchmark; empty for a service.
        metric: The metric.
    """

    topic: str
    test: str
    metric: str


class SearchedCommit(Data):
    """A commit that can be the culprit, in the order of history.

    Attributes:
        sha: The full name of the commit.
        subject: The first line of its message.
        weight: How likely it is before anything is measured, in proportion to others.
    """

    sha: str
    subject: str
    weight: float


class Step(Data):
    """One measurement of a commit against GOOD.

    Attributes:
        sha: The commit.
        log_ratios: log(commit / GOOD), one for each launch; none if it cannot be
            measured.
        problem: Why it cannot be measured.
    """

    sha: str
    log_ratios: tuple[float, ...] = ()
    problem: str = ""


class Check(Data):
    """A whole comparison of the suspected commit with the one before it.

    Attributes:
        before: The commit before the suspected ones.
        after: The last of the suspected ones.
        run: The folder of the comparison, in that of the search.
        verdict: Of the comparison.
        log_ratios: log(after / before), one for each launch.
    """

    before: str
    after: str
    run: str
    verdict: str
    log_ratios: tuple[float, ...] = ()


class Ends(Data):
    """The whole comparison of GOOD and BAD.

    Attributes:
        run: Its folder, in that of the search.
        verdict: Of all that was compared.
        reason: Of the verdict.
        quantity: What became slower most clearly; None if nothing did.
        log_ratios: log(BAD / GOOD) of the quantity, one for each launch.
    """

    run: str
    verdict: str
    reason: str
    quantity: Quantity | None = None
    log_ratios: tuple[float, ...] = ()


class Request(Data):
    """What was asked: a search goes on only with the same request.

    Attributes:
        good: The full name of the commit that is fast.
        bad: The full name of the commit that is slow.
        topics: Names, folders or files of topics.
        benchmarks: Files, folders or nodes of benchmarks.
        only: Metrics that alone decide.
        variant: The variant of the topics.
        margin: The change that is too small to matter, as a share; None for that of
            the project.
        python: Version or path of the Python of all commits.
        build: The command that installs everything, with its secrets replaced.
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
        command: The command that made it, or goes on with it.
        seed: Seed of every random choice.
        request: What was asked.
        good: GOOD as the user named it.
        bad: BAD as the user named it.
        commits: The commits after GOOD, up to BAD, oldest first, without those that
            change only documentation.
        ends: The comparison of GOOD and BAD; None if it was not measured yet.
        steps: The measurements, in their order.
        checks: Comparisons of suspected commits with those before them.
        outcome: What came out; *partial* until the search has ended.
        suspects: The commits one of which is the one, oldest first. It is one commit,
            unless others cannot be measured.
        probability: That it is one of them, given all that was measured.
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
