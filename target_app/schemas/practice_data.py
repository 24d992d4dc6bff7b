"""Bodies of responses."""

from datetime import date

from pydantic import BaseModel, ConfigDict


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class UserRead(_FromRow):
    """A user."""

    id: int
    email: str
    full_name: str
    is_active: bool
    created_on: date


class OrderRead(_FromRow):
    """An order."""

    id: int
    status: str
    total_cents: int
    placed_on: date


class InvoiceRead(_FromRow):
    """A bill for an order."""

    id: int
    number: str
    total_cents: int
    placed_on: date


class Contact(_FromRow):
    """How somebody is reached."""

    id: int
    email: str
    full_name: str


class UserOrders(_FromRow):
    """A user with all orders."""

    id: int
    full_name: str
    orders: list[OrderRead]


class StatusSales(_FromRow):
    """The orders of one status."""

    status: str
    orders: int
    total_cents: int


class MonthSales(BaseModel):
    """What was ordered in one month, by status."""

    month: int
    sales: list[StatusSales]


class Square(BaseModel):
    """A number and its square, as the service downstream knows it."""

    number: int
    square: int


class Digest(BaseModel):
    """What a computation came to."""

    value: int


class Accepted(BaseModel):
    """A sign-up that was taken."""

    email: str


class Waited(BaseModel):
    """How long the service waited for something slow."""

    milliseconds: float
