"""Listeners that add up received bytes and the contexts of requests."""

from locust import HttpUser, TaskSet, constant, events, task

received = {"bytes": 0, "contexts": set()}


class Surfing(TaskSet):
    @task(2)
    def large(self):
        self.client.get("/bytes/2000", context={"size": "large"})

    @task
    def small(self):
        self.client.get("/bytes/10", context={"size": "small"})


class Visitor(HttpUser):
    wait_time = constant(0.1)
    tasks = [Surfing]

    def context(self):
        return {"who": type(self).__name__}


@events.init.add_listener
def extend(environment, **_):
    if environment.web_ui:

        @environment.web_ui.app.route("/received")
        def total():
            return str(received["bytes"])


@events.request.add_listener
def add(request_type, name, response_length, context, exception, **_):
    received["bytes"] += response_length
    received["contexts"].add((name, context["size"], context["who"]))


@events.report_to_master.add_listener
def tell(client_id, data):
    data["received"] = received["bytes"]


@events.worker_report.add_listener
def hear(client_id, data):
    received["bytes"] += data["received"]


@events.quitting.add_listener
def judge(environment, **_):
    total = environment.stats.total
    print("bytes:", received["bytes"] == total.total_content_length > 0)
    print("contexts:", sorted(received["contexts"]))
