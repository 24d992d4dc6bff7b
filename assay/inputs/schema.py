"""The tables of the files that people write, key by key."""

import shlex
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from assay.plan import Settings

# The launches of a look: at more the exact tests take minutes, and no run gets there.
MOST_LAUNCHES = 200


def _text(text: str) -> str:
    """Check what is handed to a process."""
    if "\0" in text:
        raise PydanticCustomError("text", "expected text without a NUL character")
    return text


def _name(text: str) -> str:
    """Check the name of an environment variable."""
    if not text or "=" in text:
        raise PydanticCustomError("name", "expected the name of a variable")
    return _text(text)


def _command(text: str) -> str:
    """Check that a command line can be split into words, as a shell does it."""
    _text(text)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise PydanticCustomError(
            "command",
            "expected a command line, as in a shell ({problem})",
            {"problem": str(error)[:1].lower() + str(error)[1:]},
        ) from error
    if not words or not words[0]:
        raise PydanticCustomError("command", "expected a command line")
    return text


def _url(text: str) -> str:
    """Check the base URL of a server."""
    import httpx

    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # as a socket wants it
        httpx.URL(text)  # each refuses what the others let through
    except (ValueError, httpx.InvalidURL):
        host, port = "", None
    if (
        not host
        or port == 0
        or parts.scheme not in ("http", "https")
        or parts.query
        or parts.fragment
        or len(text.split()) != 1
    ):
        raise PydanticCustomError(
            "url",
            "expected a URL of http:// or https://, a host, and perhaps :port and a "
            "path",
        )
    return text


def _url_path(text: str) -> str:
    """Check the path of a URL; it may be empty."""
    if text and not (text.startswith("/") and text.isprintable()):
        raise PydanticCustomError("path", "expected a path that begins with /")
    return text


Text = Annotated[str, AfterValidator(_text)]
Command = Annotated[str, AfterValidator(_command)]
Url = Annotated[str, AfterValidator(_url)]
Environment = dict[Annotated[str, AfterValidator(_name)], Text]
UrlPath = Annotated[str, AfterValidator(_url_path)]
# A path or pattern in a topic's folder.
FileName = Annotated[str, Field(min_length=1), AfterValidator(_text)]


class Table(BaseModel):
    """A table as people write it."""

    # TOML can say inf and nan; no number here may be either.
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TargetTable(Table):
    """`[target]`: how a server is started."""

    command: Command | None = None
    url: Url | None = None
    env: Environment = {}
    cwd: str = "."
    ready: UrlPath = "/"
    ready_timeout: float = Field(30.0, gt=0)
    guard: UrlPath = ""
    needs: list[str] = []
    round_trip: dict[str, str] = {}
    prepare: Command | None = None


class CompanionTable(Table):
    """One entry of `[companions]`: a process that the target calls."""

    command: Command
    variable: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    env: Environment = {}
    ready: UrlPath = "/"
    ready_timeout: float = Field(30.0, gt=0)


class LoadTable(Table):
    """`[scenario] load`."""

    users: int = Field(4, ge=1, le=10_000)
    utilisation: float = Field(0.5, gt=0, lt=1)
    arrival_rate: float | None = Field(None, gt=0, le=1_000_000)
    connections: int = Field(32, ge=1, le=10_000)
    think_time: bool = False
    shape: str = ""


class ScenarioTable(Table):
    """`[scenario]`: the work."""

    locustfile: FileName | None = None
    arguments: list[Text] = []
    benchmarks: FileName | None = None
    load: LoadTable = LoadTable()
    time_budget: float | None = Field(None, gt=0)


class VariantTable(Table):
    """One entry of `[variants]`."""

    env: Environment = {}
    command: Command | None = None
    url: Url | None = None
    tests: str | None = None


class ClaimTable(Table):
    """One of `[[claims]]`."""

    says: str
    baseline: str
    candidate: str
    metric: str
    expect: str
    profiles: list[str] = []


class BudgetTable(Table):
    """One of `[[budgets]]`."""

    variant: str
    metric: str
    at_most: str


class ClaimsFile(Table):
    """A whole claims.toml."""

    title: str
    guide: str = ""
    target: TargetTable | None = None
    companions: dict[str, CompanionTable] = {}
    scenario: ScenarioTable
    variants: dict[str, VariantTable] = Field(min_length=1)
    claims: list[ClaimTable] = []
    budgets: list[BudgetTable] = []


class PresetFile(Table):
    """A whole file of `profiles/`."""

    title: str
    profiler: str
    seconds: float = Field(gt=0, le=600)
    settings: dict[str, float | int | bool | str] = {}


class ProjectTable(Table):
    """`[tool.assay]` of a pyproject.toml."""

    margin: float = Field(0.05, gt=0, lt=1)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    time_budget: float = Field(300.0, gt=0)
    looks: list[Annotated[int, Field(ge=1, le=MOST_LAUNCHES)]] = Field(
        list(Settings().looks), min_length=1
    )
    profile: bool = True
