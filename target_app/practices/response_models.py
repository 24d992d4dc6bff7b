"""Response models: a page of 100 contacts, on its way from the handler to bytes.

The guide answers with a `response_model` everywhere. What it costs depends on what
the handler returns: FastAPI validates it, and then serialises what came of that.
"""

from typing import Annotated, Any

from fastapi import Query, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Practice, Served, Variant
from target_app.schemas import Contact

SIZE, PAGES = 100, 50
CONTACTS = TypeAdapter(list[Contact])
Page = Annotated[int, Query(ge=0, lt=PAGES, description="The first page is 0")]

# They all answer alike, whether or not FastAPI knows it by itself.
_SAID = {"responses": {200: {"model": list[Contact]}}}


# What a service has at hand, from a database or a cache: making it is not the subject.
ROWS = [
    {
        "id": number,
        "email": f"user{number}@example.com",
        "full_name": f"User Number {number}",
    }
    for number in range(1, SIZE * PAGES + 1)
]


def _page[Item](items: list[Item], page: int) -> list[Item]:
    return items[page * SIZE : (page + 1) * SIZE]


def dictionaries(resources: Resources) -> Served:
    """Before: dictionaries, which the response model validates one by one."""
    counts = resources.counts

    async def list_contacts(page: Page) -> Any:
        counts.request()
        counts.events["dictionaries"] += 1
        return _page(ROWS, page)

    return Served(list_contacts, {"response_model": list[Contact], **_SAID})


def objects(resources: Resources) -> Served:
    """After: objects of the model."""
    counts = resources.counts
    contacts = CONTACTS.validate_python(ROWS)

    async def list_contacts(page: Page) -> list[Contact]:
        counts.request()
        counts.events["objects"] += 1
        return _page(contacts, page)

    return Served(list_contacts, _SAID)


def written(resources: Resources) -> Served:
    """After: bytes, which Pydantic writes and FastAPI only passes on."""
    counts = resources.counts
    contacts = CONTACTS.validate_python(ROWS)

    async def list_contacts(page: Page) -> Response:
        counts.request()
        counts.events["bytes"] += 1
        body = CONTACTS.dump_json(_page(contacts, page))
        return Response(body, media_type="application/json")

    return Served(list_contacts, {"response_model": None, **_SAID})


def unmodelled(resources: Resources) -> Served:
    """Before, too: no model at all, so FastAPI looks at every value itself."""
    counts = resources.counts

    async def list_contacts(page: Page) -> Any:
        counts.request()
        counts.events["without a model"] += 1
        return _page(ROWS, page)

    return Served(list_contacts, {"response_model": None, **_SAID})


def plain_json(resources: Resources) -> Served:
    """After, without a model: the standard library's JSON, and nobody looks."""
    counts = resources.counts

    async def list_contacts(page: Page) -> JSONResponse:
        counts.request()
        counts.events["plain"] += 1
        return JSONResponse(_page(ROWS, page))

    return Served(list_contacts, {"response_model": None, **_SAID})


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
