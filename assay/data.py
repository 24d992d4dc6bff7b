"""The base of Assay's data types."""

import json
import re
from pathlib import PurePath

from pydantic import BaseModel, ConfigDict

# Python decodes the bytes of a file name that are not UTF-8 to surrogates.
_SURROGATE = re.compile("[\ud800-\udfff]")


class Data(BaseModel):
    """Base of Assay's data types: frozen, and closed to unknown fields."""

    # JSON has no infinity and no NaN, so they are written as strings.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def json_of(data: BaseModel, indent: int | None = None) -> str:
    """Return data as JSON; bytes of file names that are not UTF-8 become U+FFFD."""
    try:
        return data.model_dump_json(indent=indent)
    except ValueError:  # JSON is UTF-8
        text = json.dumps(
            _encodable(data.model_dump()), ensure_ascii=False, default=str
        )
        return type(data).model_validate_json(text).model_dump_json(indent=indent)


def _encodable(value: object) -> object:
    if isinstance(value, str | PurePath):
        return _SURROGATE.sub("\ufffd", str(value))
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_encodable(item) for item in value]
    return value
