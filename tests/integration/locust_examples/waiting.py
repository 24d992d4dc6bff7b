"""Wait times that functions of the locustfile draw at random."""

import random

from locust import HttpUser, TaskSet, task


def front(user):
    user.client.get("/")


def drawn(least, most, mean):
    while True:
        seconds = least + random.expovariate(1 / mean)
        if seconds < most:
            return seconds


class Surfing(TaskSet):
    tasks = [front]


class Hasty(HttpUser):
    wait_time = lambda self: random.expovariate(10)  # noqa: E731
    tasks = [Surfing]


class Steady(HttpUser):
    def wait_time(self):
        return drawn(0.05, 0.3, 0.1)

    @task
    def figures(self):
        self.client.get("/figures")
