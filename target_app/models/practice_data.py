"""The tables of the practices, in PostgreSQL's schema `assay` and in SQLite."""

from datetime import date

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Base of all tables."""


class User(Base):
    """A customer."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    email: Mapped[str] = mapped_column(String(120))
    full_name: Mapped[str] = mapped_column(String(100))
    is_active: Mapped[bool]
    created_on: Mapped[date]

    orders: Mapped[list["Order"]] = relationship(order_by="Order.id")


class Order(Base):
    """An order."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[str] = mapped_column(String(20))
    total_cents: Mapped[int]
    placed_on: Mapped[date] = mapped_column(index=True)


class Invoice(Base):
    """An invoice.

    `number` and `reference` have the same value, but only `number` has an index.
    """

    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    reference: Mapped[str] = mapped_column(String(20))
    total_cents: Mapped[int]
    placed_on: Mapped[date]


class Login(Base):
    """A session of a user who has logged in."""

    __tablename__ = "logins"

    token: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class Seed(Base):
    """The version of all rows; it is written last."""

    __tablename__ = "seed"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
