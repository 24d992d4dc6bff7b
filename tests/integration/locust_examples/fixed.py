"""One class with a fixed number of users, and two classes with weights."""

from locust import HttpUser, constant, task


class Admin(HttpUser):
    fixed_count = 1
    wait_time = constant(0.1)

    @task
    def admin(self):
        self.client.get("/figures", name="admin")


class Reader(HttpUser):
    weight = 3
    wait_time = constant(0.1)

    @task
    def read(self):
        self.client.get("/hello", name="read")


class Writer(HttpUser):
    weight = 1
    wait_time = constant(0.1)

    @task
    def write(self):
        self.client.post("/orders", json={"item": 1}, name="write")
