"""Endpoints that list, read, add and change items."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from target_app.api.v1.dependencies import (
    DEFAULT_PAGE_SIZE,
    AccountIdDep,
    After,
    Limit,
    ShopDep,
)
from target_app.schemas.errors import BODY_ERRORS, error_responses
from target_app.schemas.shop import MAX_ID, ItemCreate, ItemRead, ItemUpdate, Page
from target_app.services import items

router = APIRouter(prefix="/items", tags=["items"])
ItemId = Annotated[
    int, Path(ge=1, le=MAX_ID, description="Id of the item", examples=[1])
]
Category = Annotated[
    str | None,
    Query(max_length=30, pattern=r"^[^\x00]*$", description="Only this category"),
]


@router.get("", summary="List items")
async def list_items(
    shop: ShopDep,
    after: After = 0,
    limit: Limit = DEFAULT_PAGE_SIZE,
    category: Category = None,
) -> Page[ItemRead]:
    """Return a page of items, sorted by id.

    A cached page is returned until it expires, even if its items have changed.
    """

    async def load() -> Page[ItemRead]:
        rows = await shop.database.run(items.list_page, after, limit, category)
        return Page(rows=rows, next=rows[-1].id if len(rows) == limit else None)

    name = f"items:{after}:{limit}:{category or ''}"
    return await shop.cache.get_or_load(name, Page[ItemRead], load)


@router.get("/{item_id}", summary="Read an item", responses=error_responses(404))
async def read_item(item_id: ItemId, shop: ShopDep) -> ItemRead:
    """Return an item; a change or an order removes it from the cache."""

    async def load() -> ItemRead:
        return await shop.database.run(items.by_id, item_id)

    return await shop.cache.get_or_load(f"item:{item_id}", ItemRead, load)


@router.post(
    "",
    summary="Add an item",
    status_code=201,
    responses=error_responses(401, *BODY_ERRORS),
)
async def create_item(
    new: Annotated[ItemCreate, Body()], shop: ShopDep, me: AccountIdDep
) -> ItemRead:
    """Add an item."""
    return await shop.database.run(items.create, new)


@router.patch(
    "/{item_id}",
    summary="Change an item",
    responses=error_responses(401, 404, *BODY_ERRORS),
)
async def update_item(
    item_id: ItemId,
    changes: Annotated[ItemUpdate, Body()],
    shop: ShopDep,
    me: AccountIdDep,
) -> ItemRead:
    """Change the given fields; the others stay as they are."""
    item = await shop.database.run(items.update, item_id, changes)
    await shop.cache.invalidate(f"item:{item_id}")
    return item
