"""Listeners of all stages of a test, which write their order to a file."""

import os
import time

import requests
from locust import HttpUser, events, task

HOST = os.environ["OTHER_HOST"]


def told(what):
    with open("order.txt", "a") as file:
        print(what, file=file)


def fetch(what):
    told(what)
    return requests.post(f"{HOST}/echo", json={"value": what}).json()["data"]["value"]


shared = fetch("parsed")


@events.init.add_listener
def init(environment, runner, web_ui, **_):
    told("init")


@events.test_start.add_listener
def test_start(environment, **_):
    global of_this_test
    of_this_test = fetch("test_start")


@events.spawning_complete.add_listener
def spawning_complete(user_count, **_):
    told(f"spawning_complete {user_count}")


@events.test_stopping.add_listener
def test_stopping(environment, **_):
    told("test_stopping")


@events.test_stop.add_listener
def test_stop(environment, **_):
    told("test_stop")


@events.quitting.add_listener
def quitting(environment, **_):
    told("quitting")


@events.quit.add_listener
def quit(exit_code, **_):
    told(f"quit {exit_code}")


@events.usage_monitor.add_listener
def usage(environment, cpu_usage, memory_usage):
    pass


class Person(HttpUser):
    def on_start(self):
        time.sleep(0.2)
        told("on_start")
        sent = {"value": "person"}
        self.own = self.client.post("/echo", json=sent).json()["data"]["value"]

    @task
    def ask(self):
        self.client.get(f"/echo?value={shared}", name="shared")
        self.client.get(f"/echo?value={of_this_test}", name="of this test")
        self.client.get(f"/echo?value={self.own}", name="own")
        time.sleep(0.1)

    def on_stop(self):
        told("on_stop")
        self.client.post("/echo", json={"value": "bye"}, name="bye")
