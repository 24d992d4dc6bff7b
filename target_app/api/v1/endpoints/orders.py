"""Orders: placed by accounts, and read by those that placed them."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Path, Query

from target_app.api.v1.dependencies import PAGE, AccountId, Limit, TheShop
from target_app.schemas.errors import BODY, problems
from target_app.schemas.shop import MOST_ID, Page, PurchaseCreate, PurchaseRead
from target_app.services import purchases

router = APIRouter(prefix="/orders", tags=["orders"])
OrderId = Annotated[int, Path(ge=1, le=MOST_ID, description="Which one", examples=[1])]
Before = Annotated[
    int | None, Query(ge=1, le=MOST_ID, description="`next` of the page before")
]


@router.post(
    "",
    summary="Place an order",
    status_code=201,
    responses=problems(401, 404, 409, *BODY),
)
async def place_order(
    wanted: Annotated[PurchaseCreate, Body()],
    shop: TheShop,
    me: AccountId,
    tasks: BackgroundTasks,
) -> PurchaseRead:
    """Take from the stock what is ordered, and send a confirmation."""
    order = await shop.database.run(purchases.place, me, wanted, shop.eager)
    for line in order.lines:
        await shop.cache.forget(f"item:{line.item.id}")
    await shop.mailer.send(str(me), f"Your order {order.id}", tasks)
    return order


@router.get("", summary="List one's own orders", responses=problems(401))
async def list_orders(
    shop: TheShop, me: AccountId, before: Before = None, limit: Limit = PAGE
) -> Page[PurchaseRead]:
    """Return a page of orders with what was bought, the latest first."""
    rows = await shop.database.run(purchases.listed, me, before, limit, shop.eager)
    return Page(rows=rows, next=rows[-1].id if len(rows) == limit else None)


@router.get(
    "/{order_id}", summary="Read one of one's own orders", responses=problems(401, 404)
)
async def read_order(order_id: OrderId, shop: TheShop, me: AccountId) -> PurchaseRead:
    """Return an order with what was bought."""
    return await shop.database.run(purchases.by_id, me, order_id, shop.eager)
