"""Users with long tasks, who stop after the last one."""

import time

from locust import HttpUser, SequentialTaskSet, constant, task
from locust.exception import StopUser


class Visit(SequentialTaskSet):
    @task
    def enter(self):
        self.client.get("/hello", name="enter")

    @task
    def stay(self):
        time.sleep(0.1)
        self.client.get("/slow/100", name="stay")

    @task
    def leave(self):
        self.client.get("/world", name="leave")
        raise StopUser()

    def on_stop(self):
        self.client.get("/ping", name="left")


class Guest(HttpUser):
    wait_time = constant(0.02)
    tasks = [Visit]
