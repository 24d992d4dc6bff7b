"""Django: the name of each author is a query of its own."""

import os
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connection, models
from django.http import HttpRequest, JsonResponse
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "data.db"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[],
)
django.setup()


class Author(models.Model):
    """Somebody who writes."""

    name = models.TextField()

    class Meta:
        """Where it belongs."""

        app_label = "library"


class Book(models.Model):
    """What somebody wrote."""

    title = models.TextField()
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

    class Meta:
        """Where it belongs."""

        app_label = "library"


def fill() -> None:
    """Make the tables and some rows, once."""
    if "library_book" in connection.introspection.table_names():
        return
    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    for number in range(20):
        author = Author.objects.create(name=f"author {number}")
        Book.objects.create(title=f"book {number}", author=author)


def list_books() -> list[str]:
    """Return every book with its author."""
    books: Any = Book.objects.all()
    if os.environ["SIDE"] == "a":
        books = books.select_related("author")
    return [f"{book.title} by {book.author.name}" for book in books]


def index(request: HttpRequest) -> JsonResponse:
    """Return the books."""
    return JsonResponse(list_books(), safe=False)


fill()
urlpatterns = [path("", index)]
app = get_asgi_application()
