"""A loop that waits for the interpreter is not blocked by the code that it runs."""

import pytest

from assay.probe.loops import Loop


@pytest.mark.parametrize(
    "late, in_time, counted, waits",
    [
        (4, 0, 0.001, True),  # no sample came in time: another thread keeps the lock
        (0, 8, 0.001, False),  # a call that lets go of the lock
        (1, 7, 0.001, False),
        (4, 0, 0.009, False),  # it uses the CPU itself
        (0, 0, 0.001, False),  # too short for a sample
    ],
)
def test_whether_a_callback_waits_for_the_interpreter(
    late: int, in_time: int, counted: float, waits: bool
) -> None:
    loop = Loop([0.0, 0.0, 0.0])
    loop.late, loop.samples = late, {None: late + in_time} if late + in_time else {}
    assert loop.waits_for_interpreter(0.010, counted) == waits
    loop.forget_samples()
    assert not loop.waits_for_interpreter(0.010, 0.001)
