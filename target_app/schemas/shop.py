"""Bodies of the shop's requests and responses: for creating, changing and reading."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)


def _number(value: object) -> object:
    if isinstance(value, (str, bool)):
        raise ValueError("Input should be a number")
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00]*$")]
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=r"^[^@\s\x00]+@[^@\s\x00]+\.[^@\s\x00]+$",
    ),
]
FullName = Annotated[Text, Field(min_length=2, max_length=100)]
Password = Annotated[str, Field(min_length=8, max_length=200)]
Name = Annotated[Text, Field(min_length=1, max_length=100)]
Description = Annotated[Text, Field(max_length=2000)]
# Numbers as the documentation says: neither "3" nor true, though 3.0 is one.
Cents = Annotated[int, Field(ge=0, le=10**8), BeforeValidator(_number)]
Stock = Annotated[int, Field(ge=0, le=10**6), BeforeValidator(_number)]
Quantity = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_number)]
MOST_ID = 2**53  # what every JSON parser reads exactly
KnownId = Annotated[int, Field(ge=1, le=MOST_ID), BeforeValidator(_number)]


class _Written(BaseModel):
    """What somebody sends: unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid")


class _Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AccountCreate(_Written):
    """Somebody new."""

    email: Email = Field(examples=["ada@example.com"])
    full_name: FullName = Field(examples=["Ada Lovelace"])
    password: Password = Field(examples=["Analytical-1"])

    @field_validator("password")
    @classmethod
    def strong(cls, password: str) -> str:
        """Want a digit and a capital letter."""
        if not any(letter.isdigit() for letter in password):
            raise ValueError("Password must contain at least one digit")
        if not any(letter.isupper() for letter in password):
            raise ValueError("Password must contain at least one uppercase letter")
        return password


class AccountUpdate(_Written):
    """What may be changed; what is left out stays."""

    full_name: FullName | None = Field(default=None, examples=["Ada King"])


class AccountRead(_Read):
    """An account as its owner sees it."""

    id: int
    email: str
    full_name: str
    is_active: bool
    created_at: datetime


class LoginForm(_Written):
    """Who logs in."""

    email: Email = Field(examples=["ada@example.com"])
    password: str = Field(max_length=200, examples=["Analytical-1"])


class RefreshForm(_Written):
    """A refresh token, for a new pair."""

    refresh_token: str = Field(
        max_length=200, examples=["pJ5nYl2s6mJxTq0aV8bWc3dRf7gHk1uZ9eXoLiNtQyE"]
    )


class Tokens(BaseModel):
    """A pair of tokens; the refresh token can be used once."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int


class ItemCreate(_Written):
    """Something new to buy."""

    name: Name = Field(examples=["Difference engine"])
    description: Description = Field(default="", examples=["Of brass, by hand."])
    category: Annotated[Text, Field(min_length=1, max_length=30)] = Field(
        examples=["tools"]
    )
    price_cents: Cents = Field(examples=[1250])
    stock: Stock = Field(examples=[3])


class ItemUpdate(_Written):
    """What may be changed; what is left out stays."""

    name: Name | None = Field(default=None, examples=["Analytical engine"])
    description: Description | None = Field(
        default=None, examples=["Of brass, by steam."]
    )
    price_cents: Cents | None = Field(default=None, examples=[990])
    stock: Stock | None = Field(default=None, examples=[25])


class ItemRead(_Read):
    """Something to buy."""

    id: int
    name: str
    description: str
    category: str
    price_cents: int
    stock: int


class LineCreate(_Written):
    """How many of what."""

    item_id: KnownId = Field(examples=[1])
    quantity: Quantity = Field(examples=[2])


class PurchaseCreate(_Written):
    """An order."""

    lines: list[LineCreate] = Field(min_length=1, max_length=50)


class LineRead(_Read):
    """How many of what was bought, at which price."""

    item: ItemRead
    quantity: int
    price_cents: int


class PurchaseRead(_Read):
    """An order with what was bought."""

    id: int
    status: str
    placed_at: datetime
    lines: list[LineRead]


class Page[Row](BaseModel):
    """A page; `next` is where the following one begins, if there is one."""

    rows: list[Row]
    next: int | None
