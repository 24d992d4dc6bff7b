"""Users who request pages in sequence, each from the links of the last one."""

import random
import re

from locust import HttpUser, SequentialTaskSet, constant, task

LINK = re.compile(r'href="([^"]+)"')


class Reading(SequentialTaskSet):
    def on_start(self):
        self.links = []

    @task
    def contents(self):
        self.links = LINK.findall(self.client.get("/").text)
        self.client.get("/icon")

    @task
    def chapter(self):
        page = self.client.get(random.choice(self.links), name="/chapter/[n]")
        self.links = LINK.findall(page.text)

    @task
    def part(self):
        self.client.get(random.choice(self.links), name="/chapter/[n]/part/[n]")


class Reader(HttpUser):
    wait_time = constant(0.1)
    tasks = [Reading]
