"""Users with a pause after each task, and users with a constant pace."""

import time

from locust import HttpUser, constant, constant_pacing, constant_throughput, task


class Pause(HttpUser):
    wait_time = constant(0.2)

    @task
    def pause(self):
        self.client.get("/slow/50", name="pause")


class Pace(HttpUser):
    wait_time = constant_pacing(0.2)

    @task
    def pace(self):
        self.client.get("/slow/50", name="pace")
        time.sleep(0.05)


class Throughput(HttpUser):
    wait_time = constant_throughput(5)

    @task
    def throughput(self):
        self.client.get("/slow/50", name="throughput")
