"""The optimisations of the shop; each can be switched on separately.

The guide's case studies name several optimisations. Here each of them can be used
without the others, so that a measurement can show its effect.
"""

from collections.abc import Iterator

from target_app.core.errors import ConfigurationError

# Each feature with its effect, in the order of the case studies.
STEPS = {
    "cache": "items are cached in Redis",
    "async": "the database is queried from the event loop, not from threads",
    "pool": "connections to the database stay open",
    "queries": "related rows come with one more query, not with one for each row",
    "background": "mails are sent after the answer",
    "jwt": "access tokens are verified, not looked up in the database",
}
Features = frozenset[str]


def parse_features(text: str) -> Features:
    """Return the features that a value of FEATURES names, such as `cache,async`.

    `optimised` names all features. `legacy` and an empty value name none.

    Raises:
        ConfigurationError: A name is unknown.
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
    """Yield values of FEATURES: `legacy`, then ones with one, two, … features."""
    yield "legacy"
    for count in range(1, len(STEPS) + 1):
        yield ",".join(list(STEPS)[:count])
