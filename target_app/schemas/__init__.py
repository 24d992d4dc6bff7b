"""What is answered."""

from target_app.schemas.shop import (
    MonthSales,
    OrderRead,
    StatusSales,
    UserOrders,
    UserRead,
    Waited,
)

__all__ = [
    "MonthSales",
    "OrderRead",
    "StatusSales",
    "UserOrders",
    "UserRead",
    "Waited",
]
