"""A locustfile that works only with Locust's web interface."""

from locust import HttpUser, events, task


class Visitor(HttpUser):
    @task
    def front(self):
        self.client.get("/")


@events.init.add_listener
def serve(environment, **_):
    assert environment.web_ui, "this needs the web interface"
