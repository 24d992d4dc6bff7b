"""A page that is added to Locust's web interface, if there is one."""

import json

from locust import HttpUser, constant, events, task

found = {"HIT": 0, "MISS": 0, "": 0}


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def miss(self):
        self.client.get("/cached/miss")

    @task(2)
    def hit(self):
        self.client.get("/cached/hit")

    @task
    def neither(self):
        self.client.get("/cached/none")


@events.init.add_listener
def extend(environment, web_ui, **_):
    if environment.web_ui:

        @web_ui.app.route("/caches")
        def caches():
            return json.dumps(found)


@events.request.add_listener
def count(name, response, exception, **_):
    found[response.headers.get("X-Cache", "")] += 1


@events.reset_stats.add_listener
def forget():
    found.update(HIT=0, MISS=0)


@events.quitting.add_listener
def tell(environment, **_):
    total = environment.stats.total.num_requests
    print("caches:", sum(found.values()) == total > 0, min(found.values()) > 0)
