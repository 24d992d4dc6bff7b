"""Bodies of requests and responses."""

from target_app.schemas.practice_data import (
    Accepted,
    Contact,
    Digest,
    InvoiceRead,
    MonthSales,
    OrderRead,
    Square,
    StatusSales,
    UserOrders,
    UserRead,
    Waited,
)

__all__ = [
    "Accepted",
    "Contact",
    "Digest",
    "InvoiceRead",
    "MonthSales",
    "OrderRead",
    "Square",
    "StatusSales",
    "UserOrders",
    "UserRead",
    "Waited",
]
