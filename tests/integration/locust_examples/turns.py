"""Users who stop after three tasks, and then send a last request."""

from locust import HttpUser, constant, task
from locust.exception import StopUser


class Guest(HttpUser):
    wait_time = constant(0.05)
    turns = 0

    @task
    def turn(self):
        self.client.get("/hello")
        self.turns += 1
        if self.turns == 3:
            raise StopUser()

    def on_stop(self):
        self.client.post("/echo", name="bye")
