"""A shape with two peaks."""

import math

from locust import HttpUser, LoadTestShape, constant, task


class Guest(HttpUser):
    wait_time = constant(0.1)

    @task
    def front(self):
        self.client.get("/")


class Meals(LoadTestShape):
    fewest, noon, evening = 2, 12, 8
    longest = 4
    asked = 0

    def tick(self):
        now = round(self.get_run_time())
        self.asked += 1
        if now >= self.longest:
            print("asked:", self.asked)
            return None
        first = (self.noon - self.fewest) * math.exp(-((now - 1) ** 2) * 4)
        second = (self.evening - self.fewest) * math.exp(-((now - 3) ** 2) * 4)
        users = round(self.fewest + first + second)
        return users, users
