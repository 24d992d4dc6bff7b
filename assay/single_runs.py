"""Single runs of pytest-benchmark, and what two of them can say: frozen data types."""

from datetime import datetime

from assay.data import Data

SINGLE_RUNS_SCHEMA = 1


class SingleRun(Data):
    """What a file of pytest-benchmark says.

    Attributes:
        file: The file, as the user named it.
        medians: The median seconds of one call, by node id.
        unusable: Why a test of the file has no such number, by node id.
        machine: What identifies the machine, by name, in words.
        python: The Python, in words; empty if unknown.
        commit: The full name of the commit; empty if unknown.
        dirty: Whether there were uncommitted changes.
        date: When it was written; None if unknown.
        launches: How many launches each number comes from, if a run of Assay was
            exported; 0 for a file of pytest-benchmark's own.
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
    """One test that two files have.

    Attributes:
        test: Its node id.
        base: Its median seconds in the first file.
        head: Its median seconds in the second file.
        ratio: head / base.
        noise: How far apart two runs of identical code are known to be, as a share:
            between 1 / (1 + noise) and 1 + noise a ratio says nothing.
        runs: How many earlier runs the noise comes from; 0 if it is the usual one.
        beyond: Whether the ratio lies beyond the noise, so that it is worth measuring.
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
    """What two single runs can say, which is never a verdict.

    Attributes:
        base: The first file.
        head: The second file.
        undecided: Whether something lies beyond the noise, or no noise is known because
            the files come from different machines or Pythons; or a test of the first
            file has no number in both.
        tests: The tests that both have, the largest change first.
        only_base: Tests that only the first file has.
        only_head: Tests that only the second file has.
        left_out: Tests without a usable number, and why.
        differences: What differs between the machines and Pythons.
        notes: What else a reader must know, in sentences.
        command: The command that would decide.
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
