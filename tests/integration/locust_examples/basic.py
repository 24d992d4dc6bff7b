"""Tasks that are functions or decorated methods; one requests a missing page."""

from locust import HttpUser, TaskSet, between, task


def front(user):
    user.client.get("/")


def figures(user):
    user.client.get("/figures")


class Surfing(TaskSet):
    tasks = [front, figures]

    @task
    def lost(self):
        self.client.get("/no/such/page")


class Visitor(HttpUser):
    wait_time = between(0.05, 0.15)
    tasks = [Surfing]
