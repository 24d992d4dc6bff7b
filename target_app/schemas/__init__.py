"""What is answered."""

from target_app.schemas.shop import (
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
