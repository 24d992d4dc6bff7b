"""A shape that waits until all users have started, and users that start slowly."""

import random
import time

from locust import HttpUser, LoadTestShape, constant, task


class Slow(HttpUser):
    wait_time = constant(0.1)

    def __init__(self, *args, **kwargs):
        time.sleep(random.choice((0.0, 0.05, 0.1)))
        super().__init__(*args, **kwargs)

    @task
    def front(self):
        self.client.get("/")


class Patient(LoadTestShape):
    steps = ((4, 0.5), (8, 0.5))

    def __init__(self, *args, **kwargs):
        self.reached = 0
        self.counting = False
        super().__init__(*args, **kwargs)

    def tick(self):
        if self.reached >= len(self.steps):
            return None
        users, seconds = self.steps[self.reached]
        if self.get_current_user_count() == users:
            if not self.counting:
                self.reset_time()
                self.counting = True
            if self.get_run_time() > seconds:
                self.reached += 1
                self.counting = False
        return users, 100
