"""Items: what can be bought."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from target_app.api.v1.dependencies import PAGE, AccountId, After, Limit, TheShop
from target_app.schemas.errors import BODY, problems
from target_app.schemas.shop import MOST_ID, ItemCreate, ItemRead, ItemUpdate, Page
from target_app.services import items

router = APIRouter(prefix="/items", tags=["items"])
ItemId = Annotated[int, Path(ge=1, le=MOST_ID, description="Which one", examples=[1])]
Category = Annotated[
    str | None, Query(max_length=30, pattern=r"^[^\x00]*$", description="Only these")
]


@router.get("", summary="List items")
async def list_items(
    shop: TheShop,
    after: After = 0,
    limit: Limit = PAGE,
    category: Category = None,
) -> Page[ItemRead]:
    """Return a page of items, in the order of their ids."""

    async def load() -> Page[ItemRead]:
        rows = await shop.database.run(items.listed, after, limit, category)
        return Page(rows=rows, next=rows[-1].id if len(rows) == limit else None)

    name = f"items:{after}:{limit}:{category or ''}"
    return await shop.cache.get(name, Page[ItemRead], load)


@router.get("/{item_id}", summary="Read an item", responses=problems(404))
async def read_item(item_id: ItemId, shop: TheShop) -> ItemRead:
    """Return one item; its stock can be as old as the cache allows."""

    async def load() -> ItemRead:
        return await shop.database.run(items.by_id, item_id)

    return await shop.cache.get(f"item:{item_id}", ItemRead, load)


@router.post("", summary="Add an item", status_code=201, responses=problems(401, *BODY))
async def create_item(
    new: Annotated[ItemCreate, Body()], shop: TheShop, me: AccountId
) -> ItemRead:
    """Add something that can be bought."""
    return await shop.database.run(items.create, new)


@router.patch(
    "/{item_id}", summary="Change an item", responses=problems(401, 404, *BODY)
)
async def update_item(
    item_id: ItemId,
    changes: Annotated[ItemUpdate, Body()],
    shop: TheShop,
    me: AccountId,
) -> ItemRead:
    """Change what is given; the rest stays."""
    item = await shop.database.run(items.update, item_id, changes)
    await shop.cache.forget(f"item:{item_id}")
    return item
