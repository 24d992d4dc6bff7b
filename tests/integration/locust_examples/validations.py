"""Checks of answers, and tasks that end at the first failure."""

from locust import FastHttpUser, constant, events, task
from locust.exception import RescheduleTask


class Hasty(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def buy(self):
        wrong = {"name": "ada", "secret": "wrong"}
        self.client.request("POST", "/login", json=wrong, name="hasty login")
        self.client.request("POST", "/orders", json={"item": 1}, name="never")


class Careful(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def buy(self):
        sent = {"name": "ada", "secret": "ada-secret"}
        with self.rest("POST", "/login", json=sent, name="login") as answer:
            if error := answer.js.get("error"):
                answer.failure(error)
            elif answer.js.get("message") != "Hello ada":
                answer.failure("another greeting")
        with self.rest("POST", "/orders", json={"item": 1}, name="order") as answer:
            if answer.js.get("number") is None:
                answer.failure("no number")
        with self.rest("POST", "/orders", json={}, name="empty order") as answer:
            if error := answer.js.get("error"):
                answer.failure(error)
        self.client.get("/ping", name="never either")


@events.init.add_listener
def leave_early(environment, **_):
    @environment.events.request.add_listener
    def failed(exception, **_):
        if exception:
            raise RescheduleTask()
