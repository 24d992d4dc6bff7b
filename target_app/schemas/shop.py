"""Bodies of the shop's requests and responses."""

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
# Only numbers, as the OpenAPI document says: not "3" and not true, but 3.0 is allowed.
Cents = Annotated[int, Field(ge=0, le=10**8), BeforeValidator(_number)]
Stock = Annotated[int, Field(ge=0, le=10**6), BeforeValidator(_number)]
Quantity = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_number)]
MAX_ID = 2**53  # the largest number that every JSON parser reads exactly
Id = Annotated[int, Field(ge=1, le=MAX_ID), BeforeValidator(_number)]


class _Written(BaseModel):
    """Base of request bodies; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class _Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AccountCreate(_Written):
    """A new account."""

    email: Email = Field(examples=["ada@example.com"])
    full_name: FullName = Field(examples=["Ada Lovelace"])
    password: Password = Field(examples=["Analytical-1"])

    @field_validator("password")
    @classmethod
    def strong(cls, password: str) -> str:
        """Require a digit and a capital letter."""
        if not any(letter.isdigit() for letter in password):
            raise ValueError("Password must contain at least one digit")
        if not any(letter.isupper() for letter in password):
            raise ValueError("Password must contain at least one uppercase letter")
        return password


class AccountUpdate(_Written):
    """Changes of an account; a field that is left out stays as it is."""

    full_name: FullName | None = Field(default=None, examples=["Ada King"])


class AccountRead(_Read):
    """An account, without its password."""

    id: int
    email: str
    full_name: str
    is_active: bool
    created_at: datetime


class LoginForm(_Written):
    """Address and password of a login."""

    email: Email = Field(examples=["ada@example.com"])
    password: str = Field(max_length=200, examples=["Analytical-1"])


class RefreshForm(_Written):
    """A refresh token, to renew the tokens or to log out."""

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
    """A new item."""

    name: Name = Field(examples=["Difference engine"])
    description: Description = Field(default="", examples=["Of brass, by hand."])
    category: Annotated[Text, Field(min_length=1, max_length=30)] = Field(
        examples=["tools"]
    )
    price_cents: Cents = Field(examples=[1250])
    stock: Stock = Field(examples=[3])


class ItemUpdate(_Written):
    """Changes of an item; a field that is left out stays as it is."""

    name: Name | None = Field(default=None, examples=["Analytical engine"])
    description: Description | None = Field(
        default=None, examples=["Of brass, by steam."]
    )
    price_cents: Cents | None = Field(default=None, examples=[990])
    stock: Stock | None = Field(default=None, examples=[25])


class ItemRead(_Read):
    """An item."""

    id: int
    name: str
    description: str
    category: str
    price_cents: int
    stock: int


class LineCreate(_Written):
    """An item and its quantity, in an order."""

    item_id: Id = Field(examples=[1])
    quantity: Quantity = Field(examples=[2])


class PurchaseCreate(_Written):
    """A new order."""

    lines: list[LineCreate] = Field(min_length=1, max_length=50)


class LineRead(_Read):
    """A bought item, with its quantity and price."""

    item: ItemRead
    quantity: int
    price_cents: int


class PurchaseRead(_Read):
    """An order with its lines."""

    id: int
    status: str
    placed_at: datetime
    lines: list[LineRead]


class Page[Row](BaseModel):
    """A page of rows.

    `next` leads to the next page. It is null if this page is not full.
    """

    rows: list[Row]
    next: int | None
