"""The data types of a load test's curves; their size does not grow with the test."""

from assay.plan import Data


class Curves(Data):
    """Times of the load's requests at many percentiles, in seconds.

    Attributes:
        shares: The percentiles, as shares, ascending.
        latency: Latency at each share, infinite if that request was never answered;
            None without requests.
        service: The same for the time from sent to answered.
    """

    shares: tuple[float, ...]
    latency: tuple[float | None, ...]
    service: tuple[float | None, ...]


class Activity(Data):
    """The requests of one endpoint over time, in requests per second.

    Attributes:
        method: HTTP method; empty for several endpoints together.
        name: Name of the requests.
        requests: Requests that ended, in each interval.
        failed: How many of them failed, in each interval.
    """

    method: str
    name: str
    requests: tuple[float, ...]
    failed: tuple[float, ...]

    @property
    def label(self) -> str:
        """The method and the name: ``GET /orders``."""
        return f"{self.method} {self.name}".strip()


class Timeline(Data):
    """A load test over time, in intervals of equal length.

    Attributes:
        width: Seconds of one interval.
        users: Users at the end of each interval.
        waiting: The largest number of arrivals that waited for a user, in each
            interval. They are counted at the end of each second.
        in_flight: Mean number of requests in flight in each interval: sent and not
            answered.
        endpoints: The endpoints with the most requests, and all others together.
    """

    width: float
    users: tuple[int, ...]
    waiting: tuple[int, ...]
    in_flight: tuple[float, ...]
    endpoints: tuple[Activity, ...]
