"""Bodies of the practices' responses."""

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
    """A user's name and address."""

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
    """The orders of one month, by status."""

    month: int
    sales: list[StatusSales]


class Square(BaseModel):
    """A number and its square, from the downstream service."""

    number: int
    square: int


class Digest(BaseModel):
    """The result of a computation."""

    value: int


class Accepted(BaseModel):
    """An accepted sign-up."""

    email: str


class Waited(BaseModel):
    """How long the service waited for something slow."""

    milliseconds: float
