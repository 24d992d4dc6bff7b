"""What is known of users who failed, or who still wait for an answer."""

import json
import subprocess
import sys
from typing import Any

# Importing Locust replaces parts of the standard library.
HEAD = """
import json, math
from locust import User
from assay.load.inside.pool import Pool
from assay.load.inside.seat import Seat

class Guest(User):
    pass

pool = Pool(None, [Guest], "", 5)
(role,) = pool.roles.values()
"""


def printed(program: str) -> Any:
    """Return what a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_failures_of_on_start_are_not_counted_as_users() -> None:
    notes = printed("""
role.alive, pool.failures = 2, ["boom"] * 7
print(json.dumps(pool.notes()))
""")
    assert notes == [
        "7 runs of on_start failed (boom), so 2 users did the work. If no more users "
        "can log in, set --users 2."
    ]


def test_a_request_was_sent_after_its_arrival_began() -> None:
    found = printed("""
seat = Seat(pool, 0, role)
found = [seat.sent(9.0)]
seat.arrived_at, seat.begun = 5.0, 4.0  # the user has not begun with it yet
found.append(seat.sent(4.5))
seat.begun = 6.0
found += [seat.sent(0.0), seat.sent(4.5), seat.sent(6.5)]
seat.freed = 7.0  # another request of this arrival was answered
found += [seat.sent(0.0), seat.sent(8.0)]
print(json.dumps([None if math.isnan(time) else time for time in found]))
""")
    assert found == [None, None, 6.0, 6.0, 6.5, 7.0, 8.0]
