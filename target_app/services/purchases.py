"""Units of work that place and read the shop's orders."""

from collections import Counter

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session, selectinload

from target_app.core.errors import AppError
from target_app.models.shop import Item, Purchase, PurchaseLine
from target_app.schemas.shop import PurchaseCreate, PurchaseRead


def place(
    session: Session, account_id: int, new: PurchaseCreate, eager: bool
) -> PurchaseRead:
    """Place an order, reduce the stock of its items, and return the order.

    Raises:
        AppError: 404; an item does not exist. 409; the stock is too small.
    """
    quantities: Counter[int] = Counter()
    for line in new.lines:
        quantities[line.item_id] += line.quantity
    purchase = Purchase(account_id=account_id, status="placed")
    # Items are updated in the order of their ids, so that two orders cannot deadlock.
    for item_id, quantity in sorted(quantities.items()):
        price = session.scalar(
            update(Item)
            .where(Item.id == item_id, Item.stock >= quantity)
            .values(stock=Item.stock - quantity)
            .returning(Item.price_cents)
        )
        if price is None:
            if session.get(Item, item_id) is None:
                raise AppError("Item not found", 404, {"item_id": item_id})
            raise AppError(
                "There is not enough of this item", 409, {"item_id": item_id}
            )
        purchase.lines.append(
            PurchaseLine(item_id=item_id, quantity=quantity, price_cents=price)
        )
    session.add(purchase)
    session.flush()
    session.expire_all()
    return by_id(session, account_id, purchase.id, eager)


def by_id(
    session: Session, account_id: int, purchase_id: int, eager: bool
) -> PurchaseRead:
    """Return an order of an account.

    Raises:
        AppError: 404; the account has no such order.
    """
    statement = _statement(eager).where(
        Purchase.id == purchase_id, Purchase.account_id == account_id
    )
    purchase = session.scalar(statement)
    if purchase is None:
        raise AppError("Order not found", 404)
    return PurchaseRead.model_validate(purchase)


def list_page(
    session: Session, account_id: int, before: int | None, limit: int, eager: bool
) -> list[PurchaseRead]:
    """Return a page of an account's orders, the latest first."""
    statement = _statement(eager).where(Purchase.account_id == account_id)
    if before is not None:
        statement = statement.where(Purchase.id < before)
    purchases = session.scalars(statement.order_by(Purchase.id.desc()).limit(limit))
    return [PurchaseRead.model_validate(purchase) for purchase in purchases]


def _statement(eager: bool) -> Select[Purchase]:
    """Return the statement that reads orders.

    If `eager` is true, one more query loads all lines, and another one all items.
    Otherwise each access to an order's lines, or to a line's item, is a query.
    """
    if not eager:
        return select(Purchase)
    lines = selectinload(Purchase.lines).selectinload(PurchaseLine.item)
    return select(Purchase).options(lines)
