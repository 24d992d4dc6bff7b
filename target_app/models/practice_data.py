"""A shop's users and orders, and the version of the data made for them."""

from datetime import date

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Base of all tables."""


class User(Base):
    """Somebody who orders."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    email: Mapped[str] = mapped_column(String(120))
    full_name: Mapped[str] = mapped_column(String(100))
    is_active: Mapped[bool]
    created_on: Mapped[date]

    orders: Mapped[list["Order"]] = relationship(order_by="Order.id")


class Order(Base):
    """Something ordered."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[str] = mapped_column(String(20))
    total_cents: Mapped[int]
    placed_on: Mapped[date] = mapped_column(index=True)


class Invoice(Base):
    """A bill for an order, found by either of two columns of the same value."""

    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    reference: Mapped[str] = mapped_column(String(20))
    total_cents: Mapped[int]
    placed_on: Mapped[date]


class Login(Base):
    """A session of somebody who logged in."""

    __tablename__ = "logins"

    token: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class Seed(Base):
    """The version of the rows that are there; written last."""

    __tablename__ = "seed"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
