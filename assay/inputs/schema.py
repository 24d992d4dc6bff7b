"""The tables of the files that people write: every key with its type and meaning."""

import shlex
from datetime import date
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from assay.plan import Settings

# A look comes after at most this many launches. With more, the exact tests would take
# minutes.
MOST_LAUNCHES = 200


def _check_text(text: str) -> str:
    """Return a text that can be passed to a process.

    Raises:
        PydanticCustomError: The text contains a NUL character.
    """
    if "\0" in text:
        raise PydanticCustomError("text", "expected text without a NUL character")
    return text


def _check_name(text: str) -> str:
    """Return the name of an environment variable, if it is valid.

    Raises:
        PydanticCustomError: The name is empty, or contains ``=`` or NUL.
    """
    if not text or "=" in text:
        raise PydanticCustomError("name", "expected the name of a variable")
    return _check_text(text)


def _check_ascending(numbers: list[int]) -> list[int]:
    """Return numbers that ascend.

    Raises:
        PydanticCustomError: The numbers do not ascend, or a number occurs twice.
    """
    if sorted(set(numbers)) != numbers:
        raise PydanticCustomError("ascending", "expected ascending numbers")
    return numbers


def _check_command(text: str) -> str:
    """Return a command line, if it can be split into words as in a shell.

    Raises:
        PydanticCustomError: The text cannot be split, or has no command.
    """
    _check_text(text)
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


def _check_url(text: str) -> str:
    """Return the base URL of a server, if it is valid.

    Raises:
        PydanticCustomError: The URL is not valid.
    """
    import httpx

    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # a socket encodes it, too
        httpx.URL(text)  # each of these checks refuses URLs that the others accept
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


def _check_url_path(text: str) -> str:
    """Return the path of a URL, which may be empty, if it is valid.

    Raises:
        PydanticCustomError: The path does not begin with ``/``, or is not printable.
    """
    if text and not (text.startswith("/") and text.isprintable()):
        raise PydanticCustomError("path", "expected a path that begins with /")
    return text


Text = Annotated[str, AfterValidator(_check_text)]
Command = Annotated[str, AfterValidator(_check_command)]
Url = Annotated[str, AfterValidator(_check_url)]
Environment = dict[Annotated[str, AfterValidator(_check_name)], Text]
UrlPath = Annotated[str, AfterValidator(_check_url_path)]
# A path or pattern in a topic's folder.
FileName = Annotated[str, Field(min_length=1), AfterValidator(_check_text)]


class Table(BaseModel):
    """A table as people write it."""

    # TOML has inf and nan, but neither is valid in a table.
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TargetTable(Table):
    """`[target]`: how a server is started."""

    command: Command | None = Field(
        None,
        description="Starts a server; `{port}` and `$PORT` are a free port. `python` "
        "is that of the active virtual environment, else of `.venv` in `cwd` or above, "
        "else Assay's own.",
    )
    url: Url | None = Field(
        None,
        description="A server that already runs, instead of a command. It cannot be "
        "profiled, and its CPU time is unknown.",
    )
    env: Environment = Field({}, description="Environment variables of the command.")
    cwd: str = Field(
        ".", description="Working directory of the command, from this folder."
    )
    ready: UrlPath = Field(
        "/", description="The path that answers 2xx once the server is ready."
    )
    ready_timeout: float = Field(
        30.0, gt=0, description="Seconds that the server may take to get ready."
    )
    guard: UrlPath = Field(
        "",
        description="A path that says whether the variant did what its name says: 2xx, "
        'or `{"ok": false, "detail": "…"}`. It is requested after every launch; a '
        "failure stops the run.",
    )
    needs: list[str] = Field(
        [],
        description="`postgres` and `redis`, passed on as `DATABASE_URL` and "
        "`REDIS_URL`. If two commits are compared, each has a database of its own.",
    )
    round_trip: dict[str, str] = Field(
        {},
        description='Network round trip to add to a service: `{ redis = "1ms" }`. On '
        "loopback a service is nearer than it ever is in production.",
    )
    prepare: Command | None = Field(
        None,
        description="A command that is run once before the first launch, such as a "
        "migration.",
    )
    python: FileName | None = Field(
        None,
        description="The interpreter that runs benchmarks, from this folder. If none "
        "is given, it is what `python` means in `command`.",
    )
    # The field is not named `copy`, because pydantic's models have a method `copy`.
    copied: bool = Field(
        False,
        alias="copy",
        description="Whether each variant runs in its own copy of `cwd`, in a "
        "temporary folder, which is restored before each launch. `prepare` runs in a "
        "copy, too.",
    )


class CompanionTable(Table):
    """`[companions.NAME]`: another process that the target calls."""

    command: Command = Field(description="Starts it; `{port}` is a free port.")
    variable: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that tells the target its URL.",
    )
    env: Environment = Field({}, description="Environment variables of the command.")
    ready: UrlPath = Field("/", description="As in `[target]`.")
    ready_timeout: float = Field(30.0, gt=0, description="As in `[target]`.")


class LoadTable(Table):
    """`[scenario] load`: the amount of load."""

    users: int = Field(4, ge=1, le=10_000, description="Users of the closed loop.")
    utilisation: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Arrival rate of the open loop, as a share of the slower variant's "
        "capacity. It is lowered, with a warning, if the load generator cannot send "
        "so many arrivals on time.",
    )
    arrival_rate: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Arrivals per second of the open loop, instead of `utilisation`.",
    )
    connections: int = Field(
        32,
        ge=1,
        le=10_000,
        description="The most users, and so connections, of the open loop. Users are "
        "made when they are needed.",
    )
    think_time: bool = Field(
        False,
        description="Whether users of the closed loop wait as the locustfile says.",
    )
    shape: str = Field(
        "",
        description="How the arrival rate changes over an open-loop slice, in "
        "multiples: `ramp 0.5..1.5`, `spike 1..4 for 0.5s`.",
    )


class ScenarioTable(Table):
    """`[scenario]`: the work."""

    locustfile: FileName | None = Field(None, description="An ordinary locustfile.")
    arguments: list[Text] = Field(
        [],
        description="Arguments for the locustfile, as after `locust -f FILE`: "
        '`["--tags", "read"]`, or options of its own.',
    )
    benchmarks: FileName | None = Field(
        None,
        description="A pattern of pytest-benchmark files, instead of a locustfile. "
        "Benchmarks use only `cwd`, `env` and `python` of a target, and `env` and "
        "`tests` of a variant.",
    )
    load: LoadTable = LoadTable()
    time_budget: float | None = Field(
        None,
        gt=0,
        description="Seconds that this topic may take, instead of the project's "
        "time budget.",
    )


class VariantTable(Table):
    """`[variants] NAME`: a named change to the target."""

    env: Environment = Field(
        {}, description="Environment variables, added to the target's."
    )
    command: Command | None = Field(None, description="Used instead of the target's.")
    url: Url | None = Field(None, description="Used instead of the target's.")
    tests: str | None = Field(
        None, description="A pytest node, in a topic of benchmarks."
    )


class ClaimTable(Table):
    """`[[claims]]`: a statement about two variants."""

    says: str = Field(description="The claim, in words.")
    baseline: str = Field(
        description="The variant that the candidate is compared with."
    )
    candidate: str = Field(description="The variant that is judged.")
    metric: str = Field(description="The metric that is compared; see below.")
    expect: str = Field(
        description="`<= X` or `>= X` of candidate / baseline, or `faster`, `slower`, "
        "`same`, `not slower`."
    )
    profiles: list[str] | None = Field(
        None,
        description="Presets besides the default ones, such as `calls`; `[]` for no "
        "profiles.",
    )


class BudgetTable(Table):
    """`[[budgets]]`: a limit for one variant alone."""

    variant: str = Field(description="The variant.")
    metric: str = Field(description="The metric; see below.")
    at_most: str = Field(description="The limit: `50ms`, `0.1%`, `128 MiB`.")


class ClaimsFile(Table):
    """A whole claims.toml."""

    title: str = Field(description="The title of the topic.")
    guide: str = Field("", description="Where the advice comes from.")
    target: TargetTable | None = None
    companions: dict[str, CompanionTable] = {}
    scenario: ScenarioTable
    variants: dict[str, VariantTable] = {}
    claims: list[ClaimTable] = []
    budgets: list[BudgetTable] = []


class PresetFile(Table):
    """A whole file of `profiles/`."""

    title: str
    profiler: str
    seconds: float = Field(gt=0, le=600)
    settings: dict[str, float | int | bool | str] = {}


class GateTable(Table):
    """`[[tool.assay.gates]]`: how much slower something may be."""

    topic: str = Field("*", min_length=1)
    test: str = Field("*", min_length=1)
    metric: str = Field("*", min_length=1)
    at_most: str


class WaiverTable(Table):
    """`[[waivers]]`: something that may be slower until a given day."""

    topic: str = ""
    test: str = ""
    metric: str
    ceiling: float = Field(gt=1, le=1e6)
    reason: str = Field(min_length=1)
    until: date


class WaiversFile(Table):
    """A whole perf/waivers.toml."""

    waivers: list[WaiverTable] = []


class SettingsTable(Table):
    """Settings of a run, as people write them."""

    margin: float = Field(0.05, gt=0, lt=1)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    time_budget: float = Field(300.0, gt=0)
    looks: Annotated[
        list[Annotated[int, Field(ge=1, le=MOST_LAUNCHES)]],
        AfterValidator(_check_ascending),
    ] = Field(list(Settings().looks), min_length=1)
    profile: bool | None = None
    allow_hosts: list[str] = []


class ProjectTable(SettingsTable):
    """`[tool.assay]` of a pyproject.toml."""

    gates: list[GateTable] = []


class ScriptSettings(SettingsTable):
    """The settings that a script gives to `assay.measure`."""

    seed: int = 0
