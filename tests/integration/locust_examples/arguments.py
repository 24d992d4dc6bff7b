"""A locustfile that adds its own options to the command line."""

from locust import HttpUser, constant, events, task


@events.init_command_line_parser.add_listener
def add_options(parser):
    parser.add_argument("--greeting", default="nothing", env_var="GREETING")
    parser.add_argument("--place", choices=["here", "there"], default="here")
    parser.add_argument(
        "--kinds", choices=["hit", "miss"], is_multiple=True, default=["hit", "miss"]
    )
    parser.add_argument("--unseen", include_in_web_ui=False, default="unseen")
    parser.add_argument("--password", is_secret=True, default="secret")


@events.test_start.add_listener
def say(environment, **_):
    print("greeting:", environment.parsed_options.greeting)


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def greet(self):
        own = self.environment.parsed_options
        self.client.get("/echo", params={"word": own.greeting}, name=own.greeting)
        self.client.get("/hello", name=f"{own.place} {own.unseen}")
        for kind in own.kinds:
            self.client.get(f"/cached/{kind}")
