"""The base of Assay's data types."""

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Base of Assay's data types: frozen, and closed to unknown fields."""

    # JSON has no infinity and no NaN, so they are written as strings.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")
