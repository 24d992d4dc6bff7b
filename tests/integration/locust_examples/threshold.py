"""A greenlet that ends the test if too many requests fail."""

import time

import gevent
from locust import HttpUser, events, task
from locust.runners import STATE_CLEANUP, STATE_STOPPED, STATE_STOPPING, WorkerRunner


class Visitor(HttpUser):
    @task
    def visit(self):
        for _ in range(10):
            self.client.get("/hello")
            time.sleep(0.05)
        for _ in range(10):
            self.client.get("/status/500")
            time.sleep(0.05)


def watch(environment):
    over = (STATE_STOPPING, STATE_STOPPED, STATE_CLEANUP)
    while environment.runner.state not in over:
        time.sleep(0.1)
        if environment.runner.stats.total.fail_ratio > 0.2:
            print("too many failures")
            environment.runner.quit()
            return


@events.init.add_listener
def begin(environment, **_):
    if not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(watch, environment)
