"""A Markov chain, with its transitions written in every possible way."""

from locust import HttpUser, MarkovTaskSet, constant, transition, transitions


class Walk(MarkovTaskSet):
    @transition("hello")
    def front(self):
        self.client.get("/")

    @transition("world", weight=2)
    @transition("front")
    def hello(self):
        self.client.get("/hello")

    @transitions({"figures": 3, "hello": 1})
    def world(self):
        self.client.get("/world")

    @transitions(["item", "world"])
    def figures(self):
        self.client.get("/figures")

    @transitions([("front", 2), "figures"])
    def item(self):
        self.client.get("/item")


class Walker(HttpUser):
    wait_time = constant(0.04)
    tasks = [Walk]
