"""Dependencies of the shop's endpoints: shop, rate limit, account and page."""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from target_app.core.errors import AppError
from target_app.core.shop import Shop
from target_app.schemas.shop import MAX_ID
from target_app.services import tokens

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_TOKEN_LENGTH = 4096
# auto_error is off, so that the service answers a missing token with its own error.
_bearer = HTTPBearer(auto_error=False, description="`access_token` of a login")


def get_shop(request: Request) -> Shop:
    """Return the shop that the application holds."""
    shop: Shop = request.app.state.shop
    return shop


ShopDep = Annotated[Shop, Depends(get_shop)]


async def limit_requests(request: Request, shop: ShopDep) -> None:
    """Count a request, and refuse it if its client has sent too many.

    Raises:
        AppError: 429; the client has sent too many requests in this minute.
    """
    client = request.client.host if request.client else "unknown"
    await shop.limits.count_request(client)


async def authenticated_account(
    shop: ShopDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> int:
    """Return the id of the account that sent the request.

    Raises:
        AppError: 401; the token is missing, too long, invalid, expired or revoked.
    """
    token = credentials.credentials if credentials else ""
    if not 0 < len(token) <= MAX_TOKEN_LENGTH:
        raise AppError("Not authenticated", 401)
    if "jwt" in shop.features:
        claims = shop.keys.verify(token)
        revoked_key = f"assay:revoked:{claims.get('fam')}"
        if claims.get("use") != "access" or await shop.redis.exists(revoked_key):
            raise AppError("Not authenticated", 401)
        return int(claims["sub"])
    return await shop.database.run(tokens.account_of_session, token)


AccountIdDep = Annotated[int, Depends(authenticated_account)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Rows per page")]
After = Annotated[
    int, Query(ge=0, le=MAX_ID, description="`next` of the previous page")
]
