"""A client of a library, which uses Locust's session instead of its own."""

import requests
from locust import HttpUser, constant, task


class Orders:
    """The client of a library that does not know Locust."""

    def __init__(self, url):
        self.url = url
        self._session = requests.Session()

    def create(self, item):
        return self._session.post(f"{self.url}/orders", json={"item": item})


class Buyer(HttpUser):
    wait_time = constant(0)

    def on_start(self):
        with open("secret.txt") as file:
            self.secret = file.read()
        self.orders = Orders(self.host)
        self.orders._session = self.client

    @task
    def buy(self):
        for _ in range(1000):
            self.orders.create("tea")
            self.wait_a_little()

    def wait_a_little(self):
        import time

        time.sleep(0.1)
