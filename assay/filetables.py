"""The tables of the files that people write, key by key."""

from pydantic import BaseModel, ConfigDict, Field

from assay.plan import Settings


class Table(BaseModel):
    """A table as people write it."""

    model_config = ConfigDict(extra="forbid")


class TargetTable(Table):
    """`[target]`: how a server is started."""

    command: str | None = None
    url: str | None = None
    env: dict[str, str] = {}
    cwd: str = "."
    ready: str = "/"
    ready_timeout: float = Field(30.0, gt=0)
    needs: list[str] = []
    prepare: str | None = None


class LoadTable(Table):
    """`[scenario] load`."""

    users: int = Field(4, ge=1, le=10_000)
    utilisation: float = Field(0.5, gt=0, lt=1)
    arrival_rate: float | None = Field(None, gt=0)
    connections: int = Field(32, ge=1, le=10_000)


class ScenarioTable(Table):
    """`[scenario]`: the work."""

    locustfile: str | None = None
    benchmarks: str | None = None
    load: LoadTable = LoadTable()


class VariantTable(Table):
    """One entry of `[variants]`."""

    env: dict[str, str] = {}
    command: str | None = None
    url: str | None = None
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
    looks: list[int] = list(Settings().looks)
    profile: bool = True
