"""People who browse, look at their orders, and sometimes buy something."""

import itertools
import json
import random
from argparse import ArgumentParser
from typing import Any
from urllib.request import Request, urlopen

from gevent.lock import BoundedSemaphore
from locust import constant, events, tag, task

from assay.load import LeanHttpUser

PASSWORD = "Window-shopping-1"
ACCOUNTS = 2  # few, because verifying a password is slow on purpose

_numbers = itertools.count(random.randrange(1000))
_login_lock = BoundedSemaphore()
_login_headers: dict[tuple[str | None, int], dict[str, str]] = {}


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Add the option `--patience`, the timeout of each request in seconds."""
    parser.add_argument("--patience", type=float, default=60.0, help="seconds")


def log_in(host: str | None, account: int) -> dict[str, str]:
    """Log in an account and return the headers of its requests."""
    login = {"email": f"buyer{account}@example.com", "password": PASSWORD}
    request = Request(
        f"{host}/api/v1/auth/login",
        json.dumps(login).encode(),
        {"content-type": "application/json"},
    )
    with urlopen(request) as answer:
        return {"authorization": f"Bearer {json.load(answer)['access_token']}"}


class Buyer(LeanHttpUser):
    """Logs in, then sends each request as soon as the last one is answered."""

    wait_time = constant(0)
    headers: dict[str, str]

    def __init__(self, environment: Any) -> None:
        """Use `--patience` as the timeout of requests."""
        self.network_timeout = environment.parsed_options.patience
        super().__init__(environment)

    def on_start(self) -> None:
        """Log in, or reuse an earlier login of the same account."""
        account = next(_numbers) % ACCOUNTS + 1
        with _login_lock:
            if (self.host, account) not in _login_headers:
                _login_headers[self.host, account] = log_in(self.host, account)
        self.headers = _login_headers[self.host, account]

    @tag("reading")
    @task(8)
    def browse(self) -> None:
        """Read a page of items, then one of them."""
        after = random.randrange(0, 400, 20)
        page = self.client.get(f"/api/v1/items?after={after}", name="/api/v1/items")
        if page.status_code != 200:
            return  # the failure is recorded, and there is no item to read
        item = random.choice(page.json()["rows"])["id"]
        self.client.get(f"/api/v1/items/{item}", name="/api/v1/items/{id}")

    @tag("reading")
    @task(4)
    def look_at_orders(self) -> None:
        """Read one's own latest orders."""
        self.client.get("/api/v1/orders", headers=self.headers)

    @task(2)
    def look_at_oneself(self) -> None:
        """Read one's own account."""
        self.client.get("/api/v1/users/me", headers=self.headers)

    @task(1)
    def buy(self) -> None:
        """Order two items."""
        lines = [
            {"item_id": item, "quantity": 1} for item in random.sample(range(1, 401), 2)
        ]
        self.client.post("/api/v1/orders", json={"lines": lines}, headers=self.headers)
