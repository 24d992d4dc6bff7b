"""Find a value that a schema allows: an example in the document, or one made here."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from assay.first_topic.openapi.document import Document, mapping
from assay.first_topic.openapi.patterns import NotSimpleError, matching
from assay.first_topic.request import Json

MAX_VALUES = 2_000  # values of one body
MAX_DEPTH = 40  # levels of an example, or of nested schemas
MAX_ITEMS = 100  # items of a list that is made
MOVE = 0.5  # how far a number is from a limit that is excluded
FORMATS = {
    "date": "2025-01-15",
    "date-time": "2025-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "email": "user@example.com",
    "idn-email": "user@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "iri": "https://example.com/",
    "uri-reference": "/example",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "ZXhhbXBsZQ==",
    "json-pointer": "/example",
}


class NoValueError(Exception):
    """No value or request can be made; the message says why."""


class _RecursionError(NoValueError):
    """A schema that requires itself."""


def example_of(holder: Mapping[str, Any], document: Document) -> Iterator[Json]:
    """Yield copies of the examples of a schema, a parameter or a body.

    Examples that are nested too deeply to be written as Python are left out.
    """
    values: list[Json] = [
        holder[key] for key in ("example", "x-example") if key in holder
    ]
    examples = holder.get("examples")
    if isinstance(examples, list):
        values += examples
    for named in mapping(examples).values():
        try:
            example = document.resolved(named)
        except LookupError:
            continue
        values += [example["value"]] if "value" in example else []
    yield from (copy.deepcopy(one) for one in values if _depth(one) <= MAX_DEPTH)


class Maker:
    """Makes the values of one document."""

    def __init__(self, document: Document) -> None:
        """Make values of the schemas of this document."""
        self._document = document
        self._left = MAX_VALUES

    def value(self, schema: object) -> Json:
        """Return a value for a schema.

        The value is an example, the constant, the default or the first value of an
        enumeration, if the schema has one of these. Otherwise it is made.

        Raises:
            NoValueError: No value can be made.
        """
        self._left = MAX_VALUES
        return self._value(schema, (), 0)

    def properties(self, schema: object) -> dict[str, Mapping[str, Any]]:
        """Return the required properties of an object, with their references followed.

        Raises:
            NoValueError: A reference leads nowhere or in a circle.
        """
        whole, _ = self._whole(schema, ())
        required = _names(whole.get("required"))
        properties = mapping(whole.get("properties"))
        return {
            name: self._whole(part, ())[0]
            for name, part in properties.items()
            if name in required
        }

    def _value(self, schema: object, references: tuple[str, ...], depth: int) -> Json:
        self._left -= 1
        if self._left < 0:
            raise NoValueError("the schema requires too many values")
        if depth > MAX_DEPTH:
            raise NoValueError("the schema is nested too deeply")
        if schema is True or schema == {}:
            return "string"
        whole, references = self._whole(schema, references)
        for example in example_of(whole, self._document):
            return example
        for key in ("const", "default"):
            if key in whole and _depth(whole[key]) <= MAX_DEPTH:
                return copy.deepcopy(whole[key])
        enum = whole.get("enum")
        if isinstance(enum, list) and enum:
            return copy.deepcopy(enum[0])
        for key in ("oneOf", "anyOf"):
            options = whole.get(key)
            if isinstance(options, list) and options:
                return self._first_of(whole, options, references, depth)
        return self._made(whole, references, depth)

    def _whole(
        self, schema: object, references: tuple[str, ...]
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return a schema with its reference followed and its `allOf` merged.

        Args:
            schema: The schema.
            references: The references that were followed before.

        Returns:
            The schema, and all references that were followed to it.

        Raises:
            NoValueError: A reference leads nowhere or in a circle.
        """
        reference = mapping(schema).get("$ref")
        if isinstance(reference, str):
            if reference in references:
                raise _RecursionError("the schema requires itself")
            references = (*references, reference)
        try:
            whole = dict(self._document.resolved(schema))
        except LookupError as error:
            raise NoValueError(f"the reference {error.args[0]}") from error
        parts = whole.pop("allOf", None)
        if not isinstance(parts, list):
            return whole, references
        merged: dict[str, Any] = {}
        properties: dict[str, Any] = {}
        required: list[str] = []
        for part in [*parts, whole]:
            inner, followed = (
                (whole, references) if part is whole else self._whole(part, references)
            )
            references = tuple(dict.fromkeys((*references, *followed)))
            merged.update(inner)
            properties.update(mapping(inner.get("properties")))
            required += _names(inner.get("required"))
        if properties:
            merged.update(properties=properties, required=required)
        return merged, references

    def _first_of(
        self,
        whole: Mapping[str, Any],
        options: Sequence[object],
        references: tuple[str, ...],
        depth: int,
    ) -> Json:
        """Return the value of the first alternative that has one."""
        problem = NoValueError("no alternative of the schema has a value")
        # `null` is tried last, since another value is a better example.
        for option in sorted(
            options, key=lambda one: mapping(one).get("type") == "null"
        ):
            try:
                value = self._value(option, references, depth + 1)
                if isinstance(value, dict) and whole.get("properties"):
                    value = {**self._made(whole, references, depth), **value}
            except NoValueError as error:
                problem = error
                continue
            self._discriminate(whole, option, value)
            return value
        raise problem

    @staticmethod
    def _discriminate(whole: Mapping[str, Any], option: object, value: Json) -> None:
        """Set the property that says which alternative an object is."""
        discriminator = mapping(whole.get("discriminator"))
        name = discriminator.get("propertyName")
        reference = mapping(option).get("$ref")
        if not (isinstance(value, dict) and isinstance(name, str)):
            return
        if not isinstance(reference, str) or value.get(name) not in (None, "string"):
            return
        named = mapping(discriminator.get("mapping"))
        keys = [key for key, target in named.items() if target == reference]
        value[name] = (keys or [reference.rpartition("/")[2]])[0]

    def _made(
        self, whole: Mapping[str, Any], references: tuple[str, ...], depth: int
    ) -> Json:
        kinds = whole.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        kind = next((one for one in kinds if one not in (None, "null")), None)
        if kind is None and "null" in kinds:
            return None
        try:
            if kind == "object" or (kind is None and "properties" in whole):
                return self._object(whole, references, depth)
            if kind == "array" or (kind is None and "items" in whole):
                return self._list(whole, references, depth)
        except _RecursionError:
            if "null" in kinds or whole.get("nullable") is True:
                return None
            raise
        if kind in ("integer", "number"):
            return _number(whole, kind == "integer")
        return True if kind == "boolean" else _text(whole)

    def _object(
        self, whole: Mapping[str, Any], references: tuple[str, ...], depth: int
    ) -> dict[str, Json]:
        """Return an object with its required properties, without read-only ones.

        If the schema requires none, the object has the properties with an example.
        """
        properties = mapping(whole.get("properties"))
        made = {}
        for name in _names(whole.get("required")) or self._with_examples(properties):
            schema = properties.get(name, True)
            if mapping(schema).get("readOnly") is not True:
                made[name] = self._value(schema, references, depth + 1)
        return made

    def _with_examples(self, properties: Mapping[str, Any]) -> list[str]:
        return [
            name
            for name, schema in properties.items()
            if any(True for _ in example_of(mapping(schema), self._document))
        ]

    def _list(
        self, whole: Mapping[str, Any], references: tuple[str, ...], depth: int
    ) -> list[Json]:
        least = _whole_number(whole.get("minItems"), 0)
        if least > MAX_ITEMS:
            raise NoValueError(f"the schema requires a list of {least} items")
        try:
            item = self._value(whole.get("items", True), references, depth + 1)
        except _RecursionError:
            if least:
                raise
            return []
        count = min(max(least, 1), _whole_number(whole.get("maxItems"), MAX_ITEMS))
        return [copy.deepcopy(item) for _ in range(count)]


def _number(schema: Mapping[str, Any], whole: bool) -> int | float:
    """Return a number that a schema allows: 1, or else a number near a limit.

    Raises:
        NoValueError: A limit is too large.
    """
    step = schema.get("multipleOf")
    value: int | float = 1
    try:
        low, high = _limits(schema, whole)
        if low is not None and value < low:
            value = low
        if high is not None and value > high:
            value = high
        if _is_number(step) and step > 0 and value % step:
            above = math.ceil(value / step) * step
            below = math.floor(value / step) * step
            value = above if high is None or above <= high else below
    except (OverflowError, ValueError) as error:
        raise NoValueError("the schema has limits that are too large") from error
    return value


def _limits(
    schema: Mapping[str, Any], whole: bool
) -> tuple[int | float | None, int | float | None]:
    """Return the limits between which a schema allows every number; None if missing.

    Raises:
        OverflowError: A limit is too large.
        ValueError: A limit is not a number.
    """
    low, above = _limit(schema, "minimum", "exclusiveMinimum")
    high, below = _limit(schema, "maximum", "exclusiveMaximum")
    # An excluded limit is moved by 0.5, or by less if the other limit is near.
    room = MOVE if low is None or high is None else min(MOVE, (high - low) / 4)
    if low is not None and whole:
        low = math.floor(low) + 1 if above else math.ceil(low)
    elif low is not None and above:
        low += room
    if high is not None and whole:
        high = math.ceil(high) - 1 if below else math.floor(high)
    elif high is not None and below:
        high -= room
    return low, high


def _limit(
    schema: Mapping[str, Any], key: str, exclusive: str
) -> tuple[int | float | None, bool]:
    """Return a limit of a schema, and whether it is excluded; None if it has none.

    In OpenAPI 3.1 `exclusiveMinimum` is a number. In older versions it says whether
    `minimum` itself is excluded.
    """
    limit, excluded = schema.get(key), schema.get(exclusive)
    if _is_number(excluded):
        return excluded, True
    return (limit, excluded is True) if _is_number(limit) else (None, False)


def _text(schema: Mapping[str, Any]) -> str:
    """Return a text that fits the pattern, or else the format, and the length.

    A pattern that is not simple is ignored. A text is cut or lengthened without regard
    to the pattern and the format.

    Raises:
        NoValueError: The schema requires a very long text.
    """
    pattern, text = schema.get("pattern"), ""
    if isinstance(pattern, str):
        try:
            text = matching(pattern)
        except NotSimpleError:
            text = ""
    text = text or FORMATS.get(str(schema.get("format")), "string")
    least = _whole_number(schema.get("minLength"), 0)
    if least > 10_000:
        raise NoValueError(f"the schema requires a text of {least} characters")
    if len(text) < least:
        text += (text[-1:] or "a") * (least - len(text))
    return text[: max(least, _whole_number(schema.get("maxLength"), len(text)))]


def _names(names: object) -> list[str]:
    listed = names if isinstance(names, list) else []
    return list(dict.fromkeys(name for name in listed if isinstance(name, str)))


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole_number(value: object, fallback: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return fallback
    return int(value)


def _depth(value: Json) -> int:
    """Return the levels of a value: 1 for a text or number, 2 for a list of these.

    The result is at most `MAX_DEPTH + 1`.
    """
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        level = [
            part
            for one in level
            if isinstance(one, dict | list)
            for part in (one.values() if isinstance(one, dict) else one)
        ]
        depth += 1
    return depth
