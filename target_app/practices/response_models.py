"""Response models: how a page of 100 contacts becomes JSON.

The guide uses a `response_model` everywhere. FastAPI validates the value that the
handler returns, and then serialises it. The cost depends on the type of this value.
"""

from typing import Annotated, Any

from fastapi import Query, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Practice, Served, Variant
from target_app.schemas import Contact

PAGE_SIZE = 100
PAGES = 50
CONTACTS = TypeAdapter(list[Contact])
Page = Annotated[int, Query(ge=0, lt=PAGES, description="The first page is 0")]

# All variants have the same documentation, even if FastAPI cannot derive it.
_DOCUMENTATION = {"responses": {200: {"model": list[Contact]}}}


# Made in advance, because the time to get the rows is not measured here.
ROWS = [
    {
        "id": number,
        "email": f"user{number}@example.com",
        "full_name": f"User Number {number}",
    }
    for number in range(1, PAGE_SIZE * PAGES + 1)
]


def _page[Item](items: list[Item], page: int) -> list[Item]:
    return items[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]


def dictionaries(resources: Resources) -> Served:
    """Before: dictionaries, which the response model validates one by one."""
    counts = resources.counts

    async def list_contacts(page: Page) -> Any:
        counts.count_request()
        counts.events["dictionaries"] += 1
        return _page(ROWS, page)

    return Served(list_contacts, {"response_model": list[Contact], **_DOCUMENTATION})


def objects(resources: Resources) -> Served:
    """After: objects of the model."""
    counts = resources.counts
    contacts = CONTACTS.validate_python(ROWS)

    async def list_contacts(page: Page) -> list[Contact]:
        counts.count_request()
        counts.events["objects"] += 1
        return _page(contacts, page)

    return Served(list_contacts, _DOCUMENTATION)


def written(resources: Resources) -> Served:
    """After: bytes that Pydantic writes and FastAPI passes on."""
    counts = resources.counts
    contacts = CONTACTS.validate_python(ROWS)

    async def list_contacts(page: Page) -> Response:
        counts.count_request()
        counts.events["bytes"] += 1
        body = CONTACTS.dump_json(_page(contacts, page))
        return Response(body, media_type="application/json")

    return Served(list_contacts, {"response_model": None, **_DOCUMENTATION})


def unmodelled(resources: Resources) -> Served:
    """Before, without a model: FastAPI encodes every value itself."""
    counts = resources.counts

    async def list_contacts(page: Page) -> Any:
        counts.count_request()
        counts.events["without a model"] += 1
        return _page(ROWS, page)

    return Served(list_contacts, {"response_model": None, **_DOCUMENTATION})


def plain_json(resources: Resources) -> Served:
    """After, without a model: the standard library writes JSON, without a check."""
    counts = resources.counts

    async def list_contacts(page: Page) -> JSONResponse:
        counts.count_request()
        counts.events["plain"] += 1
        return JSONResponse(_page(ROWS, page))

    return Served(list_contacts, {"response_model": None, **_DOCUMENTATION})


PRACTICE = Practice(
    guide="FastAPI Best Practices > Data Validation",
    variants={
        "dictionaries": Variant(dictionaries, Guard({"dictionaries": 1})),
        "objects": Variant(objects, Guard({"objects": 1})),
        "written": Variant(written, Guard({"bytes": 1})),
        "unmodelled": Variant(unmodelled, Guard({"without a model": 1})),
        "plain_json": Variant(plain_json, Guard({"plain": 1})),
    },
)
