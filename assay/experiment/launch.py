"""One launch: fresh servers, then many blocks of short slices.

A block is one slice of every variant, back to back, in an order drawn anew. The
host's speed wanders over tenths of seconds, so what is compared must be close in
time; and a launch has a speed of its own, so it counts as one number.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.experiment import blocks, disturbance, slices
from assay.experiment.calibration import Schedule, most_users
from assay.experiment.deadlines import NEVER, Deadline
from assay.experiment.target import RunningTarget
from assay.load.answers import Slice
from assay.load.control.generator import Generator
from assay.metrics import MODES, Mode
from assay.run_directory.rows import SliceRow
from assay.system.processes import memory_peak

ENOUGH_ARRIVALS = 100  # to say what share of them finds no idle user
REPEAT = 3  # disturbed blocks are repeated, up to this many times the plan


@dataclass
class Launch:
    """What one launch measured.

    Attributes:
        slices: One row for each slice.
        values: One number for each variant and metric, and whether it is only a
            lower bound.
        counts: Whether enough blocks were undisturbed.
        errors: Request errors and how often they came, by variant.
        cut: Whether the end of the time budget ended it.
        users: How many users it needed, where those that there were had not been
            enough; else 0.
    """

    slices: list[SliceRow] = field(default_factory=list)
    samples: list[tuple[SliceRow, Slice]] = field(default_factory=list)
    values: dict[tuple[str, str], tuple[float, bool]] = field(default_factory=dict)
    errors: dict[str, Counter[str]] = field(default_factory=dict)
    counts: bool = True
    cut: bool = False
    users: int = 0


def measure(
    generator: Generator,
    running: Mapping[str, RunningTarget],
    schedule: Schedule,
    pairs: Sequence[tuple[str, str]],
    cores: Sequence[int],
    rng: random.Random,
    deadline: Deadline = NEVER,
) -> Launch:
    """Measure the blocks of one launch, on warm servers.

    Args:
        generator: To which the servers are attached.
        running: Variant to its server.
        schedule: How long and how often.
        pairs: Which variants are compared: each pair needs blocks of its own in
            which neither side was disturbed.
        cores: That the servers are pinned to; empty if they are not.
        rng: Draws orders and arrivals.
        deadline: After which no further slice begins. A launch counts if it has at
            least half of its blocks by then.
    """
    made = _Blocks(generator, running, schedule, pairs, cores, deadline)
    launch = made.launch
    # A generator of its own for each mode: blocks that one repeats must not change
    # what the next one draws.
    draws = {mode: random.Random(rng.getrandbits(64)) for mode in MODES}
    for mode in MODES:
        wanted = schedule.closed_blocks if mode == "closed" else schedule.open_blocks
        fewest = made.measure(mode, wanted, draws[mode])
        launch.counts = launch.counts and fewest * 2 >= wanted
    for row in launch.slices:
        row.cut = launch.cut
    for name, target in running.items():
        for metric, value in slices.values(launch.samples, name).items():
            launch.values[name, metric] = value
        if target.child and target.startup is not None:
            launch.values[name, "startup"] = target.startup, False
            launch.values[name, "memory.peak"] = memory_peak(target.child.pid), False
    return launch


@dataclass
class _Blocks:
    """The blocks of one launch, and what they take.

    Attributes:
        peaks: Most arrivals at once of each slice in which many lacked a user.
        arrivals: Of the open loop so far, by variant.
        short: How many of them found no idle user.
    """

    generator: Generator
    running: Mapping[str, RunningTarget]
    schedule: Schedule
    pairs: Sequence[tuple[str, str]]
    cores: Sequence[int]
    deadline: Deadline
    launch: Launch = field(default_factory=Launch)
    peaks: list[int] = field(default_factory=list)
    arrivals: Counter[str] = field(default_factory=Counter)
    short: Counter[str] = field(default_factory=Counter)

    def measure(self, mode: Mode, wanted: int, rng: random.Random) -> int:
        """Measure blocks of one mode until every pair has enough.

        Returns:
            How many undisturbed ones the pair has that has fewest.
        """
        rows: list[SliceRow] = []
        block, fewest = 0, 0
        while fewest < wanted and block < wanted * REPEAT and not self.launch.cut:
            # The same arrivals for every variant of a block: what differs between
            # its slices is the variant and the moment, not the luck of the draw.
            seed = rng.getrandbits(32)
            order = blocks.order(list(self.running), self.pairs, rng)
            first = len(rows)
            for position, name in enumerate(order):
                if self.deadline.passed:
                    self.launch.cut = True
                    break
                rows.append(self._slice(name, mode, block, position, seed))
            block += 1
            self._grow(rows[first:])
            if block < wanted and not self.launch.cut:
                continue  # there cannot be enough yet
            causes = disturbance.causes(rows, len(self.cores))
            for row, why in zip(rows, causes, strict=True):
                row.why, row.disturbed = why, bool(why)
            fewest = blocks.fewest(rows, self.pairs)
        self.launch.slices.extend(rows)
        return fewest

    def _slice(
        self, name: str, mode: Mode, block: int, position: int, seed: int
    ) -> SliceRow:
        """Measure one slice, and return its row."""
        schedule, load, drain = self.schedule, self.schedule.load, self.deadline.drain
        users = load.users if mode == "closed" else load.connections
        if mode == "closed":
            seconds, think = schedule.closed_seconds[name], load.think_time
            measured = self.generator.closed(
                name, users, seconds, seed, think, drain=drain
            )
        else:
            seconds, shape = schedule.open_seconds, schedule.shape
            measured = self.generator.open(
                name, schedule.rate, seconds, seed, shape, drain=drain
            )
        target = self.running[name]
        target.check_alive()
        measured = slices.of_load(measured)
        row = slices.row(
            measured, block, position, schedule.rate, users, load.think_time, drain
        )
        self.launch.samples.append((row, measured))
        _count_errors(self.launch, measured, target.url)
        if row.given_up:
            target.settle(self.deadline.drain)
        return row

    def _grow(self, rows: Sequence[SliceRow]) -> None:
        """Make more users where many arrivals, of several slices, found too few.

        A few slices may have met a pause of the machine: their many arrivals at once
        are no part of the load, and who is made for them may have to log in.
        """
        for row in (row for row in rows if row.mode == "open"):
            self.arrivals[row.variant] += row.planned
            self.short[row.variant] += row.short
        self.peaks += [row.peak for row in rows if disturbance.too_few(row)]
        many = any(
            short > disturbance.SHARE * max(self.arrivals[name], ENOUGH_ARRIVALS)
            for name, short in self.short.items()
        )
        if len(self.peaks) < 2 or not many:
            return
        load = self.schedule.load
        users = min(most_users(load), sorted(self.peaks)[-2])
        if users > self.launch.users:
            self.generator.grow(users)
            self.launch.users = users


def _count_errors(launch: Launch, measured: Slice, url: str) -> None:
    counted = launch.errors.setdefault(measured.variant, Counter())
    for error, times in [*measured.errors.items(), *measured.raised.items()]:
        # The port is another one in every launch, the error is not.
        counted[error.replace(url, "")] += times
