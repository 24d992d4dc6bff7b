"""Make valid, unique names for functions, attributes and environment variables."""

import keyword
import re
from collections.abc import Iterable

MAX_LENGTH = 60  # characters
# Attributes of Locust's users and task sets. A function with one of these names would
# replace the attribute.
RESERVED = frozenset("""
    abstract args client client_pool concurrency connection_timeout context
    default_headers environment execute_next_task execute_task fixed_count
    full_name fullname get_next_task greenlet group group_stop host id insecure
    interrupt json kwargs logger max_redirects max_retries max_wait min_wait
    network_timeout on_start on_stop parent pool_manager proxy_host proxy_port
    rest rest_ run schedule_task session ssl_context_factory start state stop
    task tasks user user_id wait wait_function wait_time weight
    """.split())


def identifier(content: str, fallback: str) -> str:
    """Return a valid name, made from the words of a text.

    Args:
        content: The text; only ASCII letters and digits of it are used.
        fallback: The name if the text has none of these. It is also put before a name
            that is reserved, is a keyword or begins with a digit.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", content[: 10 * MAX_LENGTH])
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    name = name[:MAX_LENGTH].strip("_")
    if not name:
        return fallback
    taken = name in RESERVED or keyword.iskeyword(name) or name[0].isdigit()
    return f"{fallback}_{name}" if taken else name


def variable(content: str, fallback: str) -> str:
    """Return a name for an environment variable: ``API_KEY`` for ``x-api-key``.

    The name is `fallback` if the text gives no valid name.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", content[: 10 * MAX_LENGTH])
    name = re.sub(r"[^A-Z0-9]+", "_", words.upper()).strip("_")[:MAX_LENGTH].strip("_")
    name = name.removeprefix("X_")
    return name if name and not name[0].isdigit() else fallback


def unique(name: str, taken: Iterable[str]) -> str:
    """Return the name, with a number at its end if it is taken."""
    taken_names = set(taken)
    number, candidate = 2, name
    while candidate in taken_names:
        number, candidate = number + 1, f"{name}_{number}"
    return candidate
