"""Units of work that read, create and change items."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from target_app.core.errors import AppError
from target_app.models.shop import Item
from target_app.schemas.shop import ItemCreate, ItemRead, ItemUpdate


def by_id(session: Session, item_id: int) -> ItemRead:
    """Return an item.

    Raises:
        AppError: 404; there is no such item.
    """
    return ItemRead.model_validate(_item_or_404(session, item_id))


def list_page(
    session: Session, after: int, limit: int, category: str | None
) -> list[ItemRead]:
    """Return a page of items whose ids are greater than `after`.

    With a category, it contains only items of that category.
    """
    statement = select(Item).where(Item.id > after).order_by(Item.id).limit(limit)
    if category is not None:
        statement = statement.where(Item.category == category)
    return [ItemRead.model_validate(item) for item in session.scalars(statement)]


def create(session: Session, new: ItemCreate) -> ItemRead:
    """Create an item."""
    item = Item(**new.model_dump())
    session.add(item)
    session.flush()
    return ItemRead.model_validate(item)


def update(session: Session, item_id: int, changes: ItemUpdate) -> ItemRead:
    """Change the given fields of an item.

    Raises:
        AppError: 404; there is no such item.
    """
    item = _item_or_404(session, item_id)
    for name, value in changes.model_dump(exclude_none=True).items():
        setattr(item, name, value)
    session.flush()
    return ItemRead.model_validate(item)


def _item_or_404(session: Session, item_id: int) -> Item:
    item = session.get(Item, item_id)
    if item is None:
        raise AppError("Item not found", 404)
    return item
