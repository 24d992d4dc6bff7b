"""What the shop does better than it used to, each on its own.

The guide's case studies name what was done, one thing after the other. Each can be had
without the others here, so that a measurement can say which of them earned what.
"""

from collections.abc import Iterator

from target_app.core.errors import ConfigurationError

# In the order of the case studies, with what each of them changes.
STEPS = {
    "cache": "items are kept in Redis for a while",
    "async": "the database is asked from the event loop, not from threads",
    "pool": "connections to the database stay open",
    "queries": "related rows come with one more query, not with one for each row",
    "background": "mails are sent after the answer",
    "jwt": "access tokens are verified, not looked up in the database",
}
Features = frozenset[str]


def parsed(text: str) -> Features:
    """Return the features that somebody wrote.

    Raises:
        ConfigurationError: There is none of that name.
    """
    if text == "optimised":
        return frozenset(STEPS)
    names = {word.strip() for word in text.split(",")} - {"", "legacy"}
    if unknown := names - set(STEPS):
        raise ConfigurationError(
            f"FEATURES={text!r}: there is no {', '.join(sorted(unknown))}; expected "
            f"legacy, optimised, or some of {','.join(STEPS)}"
        )
    return frozenset(names)


def ladder() -> Iterator[str]:
    """Yield what to set FEATURES to for each step: one thing more every time."""
    yield "legacy"
    for count in range(1, len(STEPS) + 1):
        yield ",".join(list(STEPS)[:count])
