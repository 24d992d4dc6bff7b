"""What endpoints ask for: the shop, who asks, and which page."""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from target_app.core.errors import AppError
from target_app.core.shop import Shop
from target_app.schemas.shop import MOST_ID
from target_app.services import tokens

PAGE, LARGEST_PAGE = 20, 100
LONGEST_TOKEN = 4096
# Our own error, not FastAPI's, where nobody says who asks.
_bearer = HTTPBearer(auto_error=False, description="`access_token` of a login")


def the_shop(request: Request) -> Shop:
    """Return the shop that the application holds."""
    shop: Shop = request.app.state.shop
    return shop


TheShop = Annotated[Shop, Depends(the_shop)]


async def limited(request: Request, shop: TheShop) -> None:
    """Count the request of whoever asks."""
    client = request.client.host if request.client else "unknown"
    await shop.limits.request(client)


async def account_id(
    shop: TheShop,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> int:
    """Return who asks.

    Raises:
        AppError: 401; nobody that is known.
    """
    token = given.credentials if given else ""
    if not 0 < len(token) <= LONGEST_TOKEN:
        raise AppError("Not authenticated", 401)
    if "jwt" in shop.features:
        claims = shop.keys.verified(token)
        family = f"revoked:{claims.get('fam')}"
        if claims.get("use") != "access" or await shop.redis.exists(f"assay:{family}"):
            raise AppError("Not authenticated", 401)
        return int(claims["sub"])
    return await shop.database.run(tokens.of_session, token)


AccountId = Annotated[int, Depends(account_id)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Rows of a page")]
After = Annotated[int, Query(ge=0, le=MOST_ID, description="`next` of the page before")]
