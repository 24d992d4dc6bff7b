"""The database tables."""

from target_app.models.practice_data import Base, Invoice, Login, Order, Seed, User

__all__ = ["Base", "Invoice", "Login", "Order", "Seed", "User"]
