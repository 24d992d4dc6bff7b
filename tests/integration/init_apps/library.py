"""A FastAPI service with every kind of parameter, body and authentication."""

import os
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Query,
    Response,
)
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

app = FastAPI(title='The "library" of \\ Ωmega')
router = APIRouter()
BOOKS: dict[int, dict[str, Any]] = {1: {"id": 1, "title": "Tea", "tags": ["hot"]}}


class Chapter(BaseModel):
    """A part of a book, which may have parts itself."""

    heading: str
    parts: list["Chapter"] = []
    next: "Chapter | None" = None


class NewBook(BaseModel):
    """A book to be added."""

    title: str = Field(min_length=2, examples=['"""\n\'; import os; os.abort()  # {x}'])
    isbn: str = Field(pattern=r"^\d{3}-[A-Z]{2}$")
    pages: int = Field(ge=10, multiple_of=4)
    first: Chapter


def bearer(
    token: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> None:
    """Refuse requests without the right token."""
    if token.credentials != os.environ.get("LIBRARY_TOKEN", "s3cret-token"):
        raise HTTPException(403)


def key(value: Annotated[str, Depends(APIKeyHeader(name="X-Api-Key"))]) -> None:
    """Refuse requests without the right key."""
    if value != "s3cret-key":
        raise HTTPException(403)


@app.get("/healthz")
def health() -> dict[str, bool]:
    """Answer that the library is open."""
    return {"ok": True}


@router.get("/books", summary='List """all""" books\n# of the house')
def list_books(
    genre: Annotated[str, Query(examples=["sci-fi & more"])],
    sort: Annotated[list[str], Query(min_length=2)],
) -> list[dict[str, Any]]:
    """Return all books."""
    assert genre == "sci-fi & more" and len(sort) == 2
    return list(BOOKS.values())


@router.get("/books/{book_id}")
def read_book(book_id: Annotated[int, Field(ge=1)]) -> dict[str, Any]:
    """Return one book."""
    if book_id not in BOOKS:
        raise HTTPException(404)
    return BOOKS[book_id]


@router.head("/books")
def count_books(response: Response) -> None:
    """Say how many books there are."""
    response.headers["X-Count"] = str(len(BOOKS))


@router.post("/books", status_code=201)
def add_book(book: NewBook) -> dict[str, Any]:
    """Add a book."""
    if "os.abort()" not in book.title:
        raise HTTPException(400)
    return {"id": 2, **book.model_dump()}


@router.put("/books/{book_id}")
def replace_book(
    book_id: int, title: Annotated[str, Body(embed=True)]
) -> dict[str, Any]:
    """Change a book."""
    return {"id": book_id, "title": title}


@router.delete("/books/{book_id}", status_code=204)
def delete_book(book_id: int) -> None:
    """Delete a book."""
    if BOOKS.pop(book_id, None) is None:
        raise HTTPException(404)


@router.get("/shelf", dependencies=[Depends(bearer)])
def shelf() -> list[int]:
    """Return one's own books."""
    return [1]


@router.get("/stock", dependencies=[Depends(key)])
def stock() -> dict[str, int]:
    """Return what is in stock."""
    return {"books": 1}


@router.get("/settings")
def settings(
    x_language: Annotated[str, Header()], theme: Annotated[str, Cookie()]
) -> dict[str, str]:
    """Return what was sent in a header and in a cookie."""
    return {"language": x_language, "theme": theme}


@router.get("/broken")
def broken() -> None:
    """Fail."""
    raise RuntimeError("the roof leaks")


@router.get("/away")
def away() -> Response:
    """Redirect to another host."""
    return Response(status_code=302, headers={"Location": "http://192.0.2.1/"})


@router.get("/import", operation_id="run")
def reserved() -> dict[str, bool]:
    """Answer; the name of the operation is one that Locust uses itself."""
    return {"ok": True}


app.include_router(router, prefix="/v1")
