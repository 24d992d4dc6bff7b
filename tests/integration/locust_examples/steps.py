"""A shape that goes up in steps."""

import math

from locust import HttpUser, LoadTestShape, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def front(self):
        self.client.get("/")


class Stairs(LoadTestShape):
    each = 0.95
    users = 3
    longest = 2.8

    def tick(self):
        now = self.get_run_time()
        if now > self.longest:
            return None
        return (math.floor(now / self.each) + 1) * self.users, 50
