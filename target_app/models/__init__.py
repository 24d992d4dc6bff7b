"""The tables."""

from target_app.models.shop import Base, Order, Seed, User

__all__ = ["Base", "Order", "Seed", "User"]
