"""Request events that the locustfile fires itself, for successes and failures."""

import random
import time
from contextlib import contextmanager

from locust import User, constant, events, task


def fire(name, began, error):
    events.request.fire(
        request_type="by hand",
        name=name,
        response_time=(time.time() - began) * 1000,
        response_length=0,
        exception=error,
    )


@contextmanager
def timed(name):
    began = time.time()
    try:
        yield
    except Exception as error:
        fire(name, began, error)
        raise
    fire(name, began, None)


class Worker(User):
    wait_time = constant(0.05)

    @task
    def fine(self):
        with timed("fine"):
            time.sleep(0.02)

    @task
    @timed("decorated")
    def decorated(self):
        if random.random() < 0.5:
            raise ValueError("now and then")

    @task
    def failing(self):
        with timed("failing"):
            time.sleep(0.02)
            raise RuntimeError("every time")
