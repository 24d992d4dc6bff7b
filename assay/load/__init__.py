"""The load generator: a Locust process, and its remote control.

`control` is Assay's side and never imports Locust. `inside` is the other side, which
runs as `python -m assay.load.inside`. `lean` is a user class for locustfiles. Modules
that both sides use are in this folder.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.load.lean.user import LeanHttpUser

__all__ = ["LeanHttpUser"]


def __getattr__(name: str) -> Any:
    """Import `LeanHttpUser` on first use: Locust patches the standard library."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assay.load.lean import user

    return getattr(user, name)
