"""The load generator: what runs inside the Locust process, and its remote control.

`assay.load.remote` is Assay's side and never imports Locust. `python -m
assay.load` is the other side: it imports Locust, and nothing of the analysis.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.load.lean.user import LeanHttpUser

__all__ = ["LeanHttpUser"]


def __getattr__(name: str) -> Any:
    """Import what a locustfile asks for: it imports Locust, which patches much."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assay.load.lean import user

    return getattr(user, name)
