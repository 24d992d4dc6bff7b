"""Concurrent requests of one user, from a pool of greenlets in a task."""

from gevent.pool import Pool
from locust import HttpUser, constant, task


class Page(HttpUser):
    wait_time = constant(0.15)

    @task
    def page(self):
        self.client.get("/")
        pool = Pool(3)
        for number in range(3):
            pool.spawn(self.client.get, f"/item?part={number}", name="part")
        pool.join()
