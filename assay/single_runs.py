"""The data types of single runs of pytest-benchmark, and of a comparison of two."""

from datetime import datetime

from assay.data import Data

SINGLE_RUNS_SCHEMA = 1


class SingleRun(Data):
    """The content of a file of pytest-benchmark.

    Attributes:
        file: The file, as the user named it.
        medians: The median seconds of one call, by node id.
        unusable: Why a test of the file has no usable median, by node id.
        machine: The properties that identify the machine, by name, in words.
        python: Implementation and version of Python; empty if unknown.
        commit: The full name of the commit; empty if unknown.
        dirty: Whether there were uncommitted changes.
        date: When the file was written; None if unknown.
        launches: The largest number of launches behind any median, if Assay exported
            the file; 0 if pytest-benchmark wrote it.
    """

    file: str
    medians: dict[str, float]
    unusable: dict[str, str] = {}
    machine: dict[str, str] = {}
    python: str = ""
    commit: str = ""
    dirty: bool = False
    date: datetime | None = None
    launches: int = 0


class TestRatio(Data):
    """One test that both files have.

    Attributes:
        test: Its node id.
        base: Its median seconds in the first file.
        head: Its median seconds in the second file.
        ratio: head / base.
        noise: How much two runs of identical code can differ, as a fraction. A ratio
            between 1 / (1 + noise) and 1 + noise says nothing.
        runs: How many earlier runs the noise was computed from; 0 if the usual noise is
            assumed.
        beyond: Whether the ratio lies beyond the noise, so that the test is worth
            measuring.
    """

    __test__ = False  # pytest would collect it

    test: str
    base: float
    head: float
    ratio: float
    noise: float
    runs: int
    beyond: bool


class SingleRunsResults(Data):
    """A comparison of two single runs, which never gives a verdict.

    Attributes:
        base: The first file.
        head: The second file.
        undecided: Whether a ratio lies beyond the noise, the machines or Pythons
            differ, a test has no usable median, or the second file lacks a test.
        tests: The tests that both files have, the largest change first.
        only_base: Tests that only the first file has.
        only_head: Tests that only the second file has.
        left_out: Tests without a usable median in one of the files, with the reasons.
        differences: The differences between the machines and Pythons, in words.
        notes: What else a reader must know, in sentences.
        command: The command that measures the tests in many launches.
    """

    schema_: int = SINGLE_RUNS_SCHEMA
    base: str
    head: str
    undecided: bool
    tests: tuple[TestRatio, ...]
    only_base: tuple[str, ...] = ()
    only_head: tuple[str, ...] = ()
    left_out: dict[str, str] = {}
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    command: str
