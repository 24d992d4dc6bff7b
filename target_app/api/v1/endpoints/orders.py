"""Endpoints for orders: an account places orders, and reads its own."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Path, Query

from target_app.api.v1.dependencies import (
    DEFAULT_PAGE_SIZE,
    AccountIdDep,
    Limit,
    ShopDep,
)
from target_app.schemas.errors import BODY_ERRORS, error_responses
from target_app.schemas.shop import MAX_ID, Page, PurchaseCreate, PurchaseRead
from target_app.services import purchases

router = APIRouter(prefix="/orders", tags=["orders"])
OrderId = Annotated[
    int, Path(ge=1, le=MAX_ID, description="Id of the order", examples=[1])
]
Before = Annotated[
    int | None, Query(ge=1, le=MAX_ID, description="`next` of the previous page")
]


@router.post(
    "",
    summary="Place an order",
    status_code=201,
    responses=error_responses(401, 404, 409, *BODY_ERRORS),
)
async def place_order(
    new: Annotated[PurchaseCreate, Body()],
    shop: ShopDep,
    me: AccountIdDep,
    tasks: BackgroundTasks,
) -> PurchaseRead:
    """Place an order, reduce the stock of its items, and send a confirmation."""
    order = await shop.database.run(purchases.place, me, new, shop.eager)
    for line in order.lines:
        await shop.cache.invalidate(f"item:{line.item.id}")
    await shop.mailer.send(str(me), f"Your order {order.id}", tasks)
    return order


@router.get("", summary="List one's own orders", responses=error_responses(401))
async def list_orders(
    shop: ShopDep,
    me: AccountIdDep,
    before: Before = None,
    limit: Limit = DEFAULT_PAGE_SIZE,
) -> Page[PurchaseRead]:
    """Return a page of one's own orders with their lines, the latest first."""
    rows = await shop.database.run(purchases.list_page, me, before, limit, shop.eager)
    return Page(rows=rows, next=rows[-1].id if len(rows) == limit else None)


@router.get(
    "/{order_id}",
    summary="Read one of one's own orders",
    responses=error_responses(401, 404),
)
async def read_order(
    order_id: OrderId, shop: ShopDep, me: AccountIdDep
) -> PurchaseRead:
    """Return an order with its lines."""
    return await shop.database.run(purchases.by_id, me, order_id, shop.eager)
