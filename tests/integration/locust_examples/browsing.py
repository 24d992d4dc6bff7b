"""Weighted tasks that follow the links of the last page."""

import random
import re

from locust import HttpUser, TaskSet, constant, task

LINK = re.compile(r'href="([^"]+)"')


class Browsing(TaskSet):
    def on_start(self):
        self.contents()
        self.here = self.chapters

    @task(10)
    def contents(self):
        self.chapters = LINK.findall(self.client.get("/").text)

    @task(50)
    def chapter(self):
        page = self.client.get(random.choice(self.chapters), name="chapter")
        self.here = LINK.findall(page.text)

    @task(30)
    def onward(self):
        self.client.get(random.choice(self.here), name="onward")


class Reader(HttpUser):
    wait_time = constant(0.05)
    tasks = [Browsing]
