"""Indexing: one of 100 000 invoices is found by a column with or without an index.

The guide: "Use indexing appropriately".
"""

from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.core.errors import AppError
from target_app.models import Invoice
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import InvoiceRead
from target_app.services.orders import INVOICE_COUNT, invoice_number, invoices

OrderId = Annotated[
    int, Query(ge=1, le=INVOICE_COUNT, description="The order of the invoice")
]


def unindexed(resources: Resources) -> Handler:
    """Before: the database scans all invoices."""
    sessions, counts = resources.postgres, resources.counts

    def read_invoice(order_id: OrderId) -> InvoiceRead:
        counts.count_request()
        number = invoice_number(order_id)
        with sessions() as session:
            counts.events["by reference"] += 1
            return _invoice_or_404(
                session.scalar(invoices().where(Invoice.reference == number))
            )

    return read_invoice


def indexed(resources: Resources) -> Handler:
    """After: the database uses an index."""
    sessions, counts = resources.postgres, resources.counts

    def read_invoice(order_id: OrderId) -> InvoiceRead:
        counts.count_request()
        number = invoice_number(order_id)
        with sessions() as session:
            counts.events["by number"] += 1
            return _invoice_or_404(
                session.scalar(invoices().where(Invoice.number == number))
            )

    return read_invoice


def _invoice_or_404(invoice: Invoice | None) -> InvoiceRead:
    if invoice is None:
        raise AppError("Invoice not found", 404)
    return InvoiceRead.model_validate(invoice)


_NEEDS = ("database_url",)
PRACTICE = Practice(
    guide="Profiling and Benchmarking > Database Query Optimization",
    variants={
        "unindexed": Variant(
            unindexed, Guard({"psycopg query": 1, "by reference": 1}), _NEEDS
        ),
        "indexed": Variant(
            indexed, Guard({"psycopg query": 1, "by number": 1}), _NEEDS
        ),
    },
)
