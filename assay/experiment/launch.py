"""One launch: fresh servers, then many blocks of short slices.

A block is one slice of every variant, back to back, in a new random order. The speed of
the host varies over tenths of a second, so slices that are compared must be close in
time. Each launch also has its own speed, so it counts as one number.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.experiment import blocks, disturbance, request_times, slices
from assay.experiment.calibration import Schedule, max_users
from assay.experiment.deadlines import NEVER, Deadline
from assay.experiment.target import RunningTarget
from assay.load.answers import Slice
from assay.load.control.generator import Generator
from assay.metrics import MODES, Mode
from assay.run_directory.rows import RequestRow, SliceRow
from assay.system.processes import memory_peak

# The share of arrivals that find no idle user is judged as if there were at least this
# many arrivals.
MIN_ARRIVALS = 100
# Disturbed blocks are repeated, until there are this many times the planned blocks.
MAX_REPEATS = 3


@dataclass
class Launch:
    """The results of one launch.

    Attributes:
        slices: One row for each slice.
        samples: The rows in `slices`, each with the requests of its slice.
        values: One number for each variant and metric, and whether it is only a
            lower bound.
        requests: One number for each variant and request that is judged by itself.
        errors: How often each request error occurred, by variant.
        counts: Whether enough blocks were undisturbed.
        cut: Whether the end of the time budget cut it short.
        users: The number of users after more had to be made; 0 if there were enough.
    """

    slices: list[SliceRow] = field(default_factory=list)
    samples: list[tuple[SliceRow, Slice]] = field(default_factory=list)
    values: dict[tuple[str, str], tuple[float, bool]] = field(default_factory=dict)
    requests: list[RequestRow] = field(default_factory=list)
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
        generator: The generator, with the servers attached.
        running: The server of each variant, by name.
        schedule: The lengths of slices and the number of blocks.
        pairs: The pairs of variants that are compared. Each pair needs enough blocks
            in which neither side was disturbed.
        cores: The cores that the servers are pinned to; empty if they are not.
        rng: Draws orders and arrivals.
        deadline: No further slice begins after it. A launch counts if it has at least
            half of its planned undisturbed blocks by then.
    """
    measurement = _Measurement(generator, running, schedule, pairs, cores, deadline)
    launch = measurement.launch
    # Each mode has its own random numbers: blocks that are repeated in one mode must
    # not change what the next mode draws.
    mode_rngs = {mode: random.Random(rng.getrandbits(64)) for mode in MODES}
    for mode in MODES:
        planned = schedule.closed_blocks if mode == "closed" else schedule.open_blocks
        undisturbed = measurement.measure_blocks(mode, planned, mode_rngs[mode])
        launch.counts = launch.counts and undisturbed * 2 >= planned
    if schedule.request_seconds and not launch.cut:
        # Drawn last, so that the slices are the same with and without it.
        rng = random.Random(rng.getrandbits(64))
        seconds = schedule.request_seconds
        launch.requests = request_times.measure(
            generator, running, seconds, rng, deadline
        )
    for row in launch.slices:
        row.cut = launch.cut
    for name, target in running.items():
        for metric, value in slices.metric_values(launch.samples, name).items():
            launch.values[name, metric] = value
        if target.child and target.startup is not None:
            launch.values[name, "startup"] = target.startup, False
            launch.values[name, "memory.peak"] = memory_peak(target.child.pid), False
    return launch


@dataclass
class _Measurement:
    """The measurement of one launch while it runs.

    Attributes:
        peaks: The most simultaneous arrivals of each slice that lacked users.
        arrivals: Arrivals of the open loop so far, by variant.
        lacked_user: How many of these arrivals found no idle user, by variant.
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
    lacked_user: Counter[str] = field(default_factory=Counter)

    def measure_blocks(self, mode: Mode, planned: int, rng: random.Random) -> int:
        """Measure blocks of one mode until every pair has enough undisturbed blocks.

        Returns:
            The number of undisturbed blocks of the pair that has the fewest.
        """
        rows: list[SliceRow] = []
        block, undisturbed = 0, 0
        while (
            undisturbed < planned
            and block < planned * MAX_REPEATS
            and not self.launch.cut
        ):
            # Every variant of a block gets the same arrivals, so that the slices of the
            # block differ by the variant and the moment, but not by chance arrivals.
            seed = rng.getrandbits(32)
            order = blocks.draw_order(list(self.running), self.pairs, rng)
            first = len(rows)
            for position, name in enumerate(order):
                if self.deadline.passed:
                    self.launch.cut = True
                    break
                rows.append(self._measure_slice(name, mode, block, position, seed))
            block += 1
            self._add_users(rows[first:])
            if block < planned and not self.launch.cut:
                continue  # there cannot be enough yet
            causes = disturbance.causes(rows, len(self.cores))
            for row, cause in zip(rows, causes, strict=True):
                row.why, row.disturbed = cause, bool(cause)
            undisturbed = blocks.min_undisturbed(rows, self.pairs)
        self.launch.slices.extend(rows)
        return undisturbed

    def _measure_slice(
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
        measured = slices.load_requests_only(measured)
        row = slices.row(
            measured, block, position, schedule.rate, users, load.think_time, drain
        )
        self.launch.samples.append((row, measured))
        _count_errors(self.launch, measured, target.url)
        if row.given_up:
            target.settle(self.deadline.drain)
        return row

    def _add_users(self, rows: Sequence[SliceRow]) -> None:
        """Make more users if many arrivals, of several slices, found no idle user.

        A single slice is not enough, because the machine may have paused in it. The
        many simultaneous arrivals after a pause are not part of the load, and a user
        that is made for them may have to log in. For the same reason, slices in which
        other processes took the target's cores do not count.
        """
        rows = [row for row in rows if not disturbance.cores_were_taken(row)]
        for row in (row for row in rows if row.mode == "open"):
            self.arrivals[row.variant] += row.planned
            self.lacked_user[row.variant] += row.short
        self.peaks += [row.peak for row in rows if disturbance.lacks_users(row)]
        many_lacked = any(
            count > disturbance.DISTURBED_SHARE * max(self.arrivals[name], MIN_ARRIVALS)
            for name, count in self.lacked_user.items()
        )
        if len(self.peaks) < 2 or not many_lacked:
            return
        users = min(max_users(self.schedule.load), sorted(self.peaks)[-2])
        if users > self.launch.users:
            self.generator.grow(users)
            self.launch.users = users


def _count_errors(launch: Launch, measured: Slice, url: str) -> None:
    counter = launch.errors.setdefault(measured.variant, Counter())
    for error, times in [*measured.errors.items(), *measured.raised.items()]:
        # The port in the URL changes with every launch, but the error stays the same.
        counter[error.replace(url, "")] += times
