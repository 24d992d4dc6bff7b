"""FastHttpUser, with settings of its client."""

from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    wait_time = constant(0.1)
    connection_timeout = 10.0
    network_timeout = 10.0
    max_redirects = 3

    @task
    def front(self):
        self.client.get("/")

    @task(2)
    def figures(self):
        self.client.get("/figures")
