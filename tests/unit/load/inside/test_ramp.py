"""Users who come and go by stages."""

import json
import subprocess
import sys

# Runs in a process of its own: importing Locust replaces parts of the standard library.
PROGRAM = """
import itertools, json, time

from assay.load.inside.ramp import Ramp

class Kind:
    fixed_count, weight = 0, 1

class Role:
    cls, alive, leaving = Kind, 0, 0

class Pool:
    def __init__(self):
        self.roles = {Kind: Role()}
        self.changes = []

    def add(self, role, enlisted):
        role.alive += 1
        self.changes.append((time.perf_counter(), 1))

    def dismiss(self, role):
        role.alive -= 1
        self.changes.append((time.perf_counter(), -1))

pool = Pool()
calls = itertools.count()
ramp = Ramp(pool, None, lambda: next(calls) >= 30)
began = time.perf_counter()
ramp.follow_numbers(lambda: 150 if next(calls) < 20 else 90)
at, change = zip(*pool.changes)
print(json.dumps([[moment - began for moment in at], change]))
"""


def test_many_users_by_stages_start_and_stop_a_few_at_a_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    at, changes = json.loads(done.stdout)
    assert sum(changes) == 90 and max(at) >= 0.2
    for moment in at:  # 0.01 s is half of the time between two steps
        assert sum(1 for other in at if 0 <= other - moment < 0.01) <= 20
