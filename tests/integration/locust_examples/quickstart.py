"""A login at the start, weighted tasks, and a loop of requests under one name."""

import time

from locust import HttpUser, between, task


class Customer(HttpUser):
    wait_time = between(0.05, 0.1)

    def on_start(self):
        self.client.post("/login", json={"name": "ada", "secret": "ada-secret"})

    @task
    def greet(self):
        self.client.get("/hello")
        self.client.get("/world")

    @task(3)
    def browse(self):
        for number in range(3):
            self.client.get(f"/item?number={number}", name="/item")
            time.sleep(0.02)
