"""A shape that goes up and down; users of three classes send one request each."""

from locust import HttpUser, LoadTestShape, constant, task


class First(HttpUser):
    wait_time = constant(600)

    @task
    def once(self):
        self.client.get("/", name="first")


class Second(HttpUser):
    wait_time = constant(600)

    @task
    def once(self):
        self.client.get("/", name="second")


class Third(HttpUser):
    wait_time = constant(600)

    @task
    def once(self):
        self.client.get("/", name="third")


class UpAndDown(LoadTestShape):
    stages = ((0.9, 3), (1.9, 15), (2.9, 3), (3.9, 30))

    def tick(self):
        now = self.get_run_time()
        return next(((users, 100) for until, users in self.stages if now < until), None)
