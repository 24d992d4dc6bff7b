"""A custom client, which fires the request event for each call."""

import time
from xmlrpc.client import Fault, ServerProxy

from locust import User, constant, task


class Remote:
    def __init__(self, url, event):
        self.proxy, self.event = ServerProxy(url), event

    def call(self, name, *args):
        told = {
            "request_type": "call",
            "name": name,
            "start_time": time.time(),
            "response_length": 0,
            "response": None,
            "context": {},
            "exception": None,
        }
        began = time.perf_counter()
        try:
            told["response"] = getattr(self.proxy, name)(*args)
        except Fault as fault:
            told["exception"] = fault
        told["response_time"] = (time.perf_counter() - began) * 1000
        self.event.fire(**told)
        return told["response"]


class Remotely(User):
    abstract = True

    def __init__(self, environment):
        super().__init__(environment)
        self.client = Remote(f"{self.host}/rpc", environment.events.request)


class Caller(Remotely):
    wait_time = constant(0.1)

    @task(2)
    def add(self):
        assert self.client.call("add", 2, 3) == 5

    @task
    def unknown(self):
        self.client.call("multiply", 2, 3)
