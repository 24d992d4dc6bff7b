"""Calls of rest() with JSON, failed assertions, exceptions and answers without JSON."""

from contextlib import contextmanager

from locust import FastHttpUser, constant, task


class Caller(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def call(self):
        with self.rest("GET", "/echo?word=1", name="get") as answer:
            assert answer.js["args"]["word"] == "1"
        with self.rest("POST", "/echo", json={"word": 1}, name="post") as answer:
            assert answer.js["data"]["word"] == 1, "another word"
        with self.rest("POST", "/echo", json={"word": 1}, name="bare") as answer:
            assert answer.js["data"]["word"] == 2
        with self.rest("POST", "/echo", json={"word": 1}, name="worded") as answer:
            assert answer.js["data"]["word"] == 2, "another word,"
        with self.rest("POST", "/echo", json={"word": 1}, name="mistake") as answer:
            1 / 0
        with self.rest("GET", "/", name="no JSON"):
            pass
        with self.rest("GET", "/status/404", name="missing"):
            pass
        with self.rest_("GET", "/ping", name="stamped"):
            pass
        with self.rest("GET", "http://127.0.0.1:1/", name="nobody there"):
            pass


class WithHeader(FastHttpUser):
    abstract = True

    @contextmanager
    def rest(self, method, url, **kwargs):
        own = {"X-Own": "mine"}
        with super().rest(method, url, headers=own, **kwargs) as answer:
            if answer.js and answer.js.get("error"):
                answer.failure(answer.js["error"])
            yield answer


class Other(WithHeader):
    wait_time = constant(0.1)

    @task
    def order(self):
        with self.rest("POST", "/orders", json={}):
            pass
        with self.rest("POST", "/orders", json={"item": 1}, name="an order"):
            pass
