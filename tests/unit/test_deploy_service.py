"""What runs the reference service: its image, its manifests, its settings."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from target_app.core.config import Settings
from target_app.main import create_app

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "deploy" / "service"
MANIFESTS = sorted((ROOT / "deploy").glob("**/kubernetes/*.yaml"))
DOCKERFILES = sorted((ROOT / "deploy").glob("**/Dockerfile"))
EXAMPLE = ROOT / ".env.example"
HADOLINT = Path(sys.executable).parent / "hadolint"
OF_ASSAY = {"ASSAY_CACHE"}
Stage = list[tuple[str, str]]


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def kind(name: str) -> dict[str, Any]:
    (found,) = [
        document
        for path in (SERVICE / "kubernetes").glob("*.yaml")
        for document in documents(path)
        if document["kind"] == name
    ]
    return found


def container(of: str) -> dict[str, Any]:
    (found,) = kind(of)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def stages(text: str) -> list[Stage]:
    """Return the instructions of each stage of a Dockerfile."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    found: list[Stage] = []
    for line in filter(None, map(str.strip, whole.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, " ".join(rest.split())))
    return found


def last(stage: Stage, word: str) -> str:
    return [rest for name, rest in stage if name == word][-1]


@pytest.fixture(scope="module")
def built() -> tuple[Stage, Stage]:
    """Return the two stages of the service's image: the builder and the final image."""
    builder, runs = stages((SERVICE / "Dockerfile").read_text(encoding="utf-8"))
    return builder, runs


# Manifests.


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: f"{p.parts[-3]}-{p.name}")
def test_manifests_are_what_kubernetes_accepts(path: Path, version: str) -> None:
    for document in documents(path):
        if document["kind"] == "Kustomization":  # for kubectl, not for the cluster
            assert document["apiVersion"] == "kustomize.config.k8s.io/v1beta1"
        else:
            kubernetes_validate.validate(document, version, strict=True)


def test_a_manifest_with_a_slip_of_the_pen_is_refused() -> None:
    deployment = kind("Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.37", strict=True)


def test_the_kustomization_names_every_file() -> None:
    named = kind("Kustomization")
    there = {path.name for path in (SERVICE / "kubernetes").glob("*.yaml")}
    assert set(named["resources"]) == there - {"kustomization.yaml"}
    (image,) = named["images"]
    assert image["name"] == container("Deployment")["image"]
    assert image["name"] == container("Job")["image"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert image["newTag"] == project["project"]["version"]


def test_labels_and_ports_fit(built: tuple[Stage, Stage]) -> None:
    deployment, service = kind("Deployment")["spec"], kind("Service")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    budget = kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert deployment["selector"]["matchLabels"] == labels == budget
    assert service["selector"] == labels
    assert kind("Job")["spec"]["template"]["metadata"]["labels"] != labels
    (port,) = container("Deployment")["ports"]
    assert service["ports"][0]["targetPort"] == port["name"]
    assert last(built[1], "EXPOSE") == str(port["containerPort"])
    assert json.loads(last(built[1], "CMD"))[4:6] == ["--port", "8000"]
    target = kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target["kind"] == "Deployment"
    assert target["name"] == kind("Deployment")["metadata"]["name"]


@pytest.mark.parametrize("name", ["Deployment", "Job"])
def test_pods_have_no_rights_and_known_bounds(name: str) -> None:
    spec = kind(name)["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    rights = container(name)["securityContext"]
    assert not rights["allowPrivilegeEscalation"] and rights["readOnlyRootFilesystem"]
    assert rights["capabilities"]["drop"] == ["ALL"]
    resources = container(name)["resources"]
    assert "memory" in resources["limits"] and "cpu" in resources["requests"]


@pytest.mark.parametrize("name", ["Deployment", "Job"])
def test_pods_set_what_there_is_to_set_and_secrets_are_secret(name: str) -> None:
    given = {entry["name"]: entry for entry in container(name)["env"]}
    assert {variable.lower() for variable in given} <= set(Settings.model_fields)
    assert "DATABASE_URL" in given
    told = (SERVICE / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8")
    for variable in {"DATABASE_URL", "REDIS_URL", "SECRET_KEYS"} & set(given):
        secret = given[variable]["valueFrom"]["secretKeyRef"]
        assert f"secret generic {secret['name']} " in told
        assert f"--from-literal={secret['key']}=" in told
    plain = {v.lower(): e["value"] for v, e in given.items() if "value" in e}
    assert Settings.model_validate(plain)


def test_probes_ask_what_the_service_answers() -> None:
    nowhere = Settings(
        database_url="postgresql://nowhere/none",
        redis_url="redis://nowhere",
        target_variant="shop",
    )
    paths = create_app(nowhere).openapi()["paths"]
    for probe, path in (
        ("livenessProbe", "/health"),
        ("readinessProbe", "/ready"),
        ("startupProbe", "/health"),
    ):
        asked = container("Deployment")[probe]["httpGet"]
        assert asked == {"path": path, "port": "http"} and path in paths


# The image.


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda p: p.parent.name)
def test_the_linter_finds_nothing_in_a_dockerfile(path: Path) -> None:
    done = subprocess.run([HADOLINT, "--no-color", path], capture_output=True)
    assert done.returncode == 0, done.stdout.decode()


def test_the_linter_finds_something_where_there_is_something() -> None:
    bad = b"FROM python:latest\nRUN cd /tmp && sudo pip install flask\n"
    done = subprocess.run([HADOLINT, "-"], input=bad, capture_output=True)
    assert done.returncode == 1
    assert b"DL3007" in done.stdout and b"DL3004" in done.stdout


def test_the_image_is_small_pinned_and_nobodys(built: tuple[Stage, Stage]) -> None:
    builder, runs = built
    base = last(builder, "FROM").partition(" ")[0]
    assert re.fullmatch(r"python:3\.12\.\d+-slim-\w+", base)
    assert last(runs, "FROM") == base
    assert "--require-hashes" in last(builder, "RUN")
    assert any(rest.startswith("--from=builder ") for _, rest in runs)
    user = last(runs, "USER")
    for name in ("Deployment", "Job"):
        security = kind(name)["spec"]["template"]["spec"]["securityContext"]
        assert user == str(security["runAsUser"]) != "0"
    assert [word for word, _ in runs].index("USER") > max(
        number for number, (word, _) in enumerate(runs) if word in ("RUN", "COPY")
    )


def test_the_image_starts_the_service_itself_and_asks_for_its_health(
    built: tuple[Stage, Stage],
) -> None:
    assert json.loads(last(built[1], "CMD"))[:2] == ["uvicorn", "target_app.main:app"]
    options, _, command = last(built[1], "HEALTHCHECK").partition(" CMD ")
    assert "--timeout=" in options
    program = json.loads(command)
    assert program[:2] == ["python", "-c"] and "/health" in program[2]
    compile(program[2], "HEALTHCHECK", "exec")


def test_the_image_holds_no_secret(built: tuple[Stage, Stage]) -> None:
    for stage in built:
        for word, rest in stage:
            assert word != "ADD"
            if word in ("ENV", "ARG"):
                assert not re.search(r"(?i)secret|password|token|key|_url", rest)
            if word == "COPY" and not rest.startswith("--from="):
                *sources, _ = rest.split()
                # The whole folder is never copied, because it can contain .env or .git.
                assert "." not in sources
                for source in sources:
                    assert (ROOT / source).exists(), source


def test_what_the_image_installs_is_enough_to_start(
    built: tuple[Stage, Stage], tmp_path: Path
) -> None:
    """Only packages that the builder's own command lists can be imported."""
    for word, rest in built[0]:
        if word == "COPY":
            *sources, into = rest.split()
            (tmp_path / into).mkdir(parents=True, exist_ok=True)
            for source in sources:
                shutil.copy(ROOT / source, tmp_path / into)
    script, option, extra = last(built[0], "RUN").split(" > ")[0].split()[1:]
    listed = subprocess.run(
        [sys.executable, script, option, extra],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stderr
    wanted = set(re.findall(r"^([\w.-]+)==", listed.stdout, re.MULTILINE))
    assert {"fastapi", "uvicorn", "alembic"} <= wanted
    there: set[str] = set()
    absent: set[str] = set()
    for found in distributions():
        kept = re.sub(r"[-_.]+", "-", found.name).lower() in wanted
        for file in map(str, found.files or ()):
            (there if kept else absent).add(re.split(r"/|\.py", file)[0])
    absent -= there | {"target_app", "assay"}
    assert {"httpx", "pandas"} <= absent
    program = (
        "import json, sys\n"
        "sys.modules.update(dict.fromkeys(json.loads(sys.stdin.read())))\n"
        "import target_app.main, target_app.migrations, alembic.config, uvicorn\n"
        "print(target_app.main.app.title)\n"
    )
    started = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(sorted(absent)),
        env={
            "TARGET_VARIANT": "shop",
            "DATABASE_URL": "postgresql://nowhere/none",
            "REDIS_URL": "redis://nowhere",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
    )
    assert started.stdout == "Shop\n", started.stderr


# The settings.


def test_the_example_names_every_setting_and_no_other() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    named = re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) - OF_ASSAY == {name.upper() for name in Settings.model_fields}


def test_the_example_says_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    assert Settings(_env_file=EXAMPLE) == Settings(_env_file=None)


def test_what_the_example_leaves_out_can_be_put_in(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    whole = tmp_path / "all"
    whole.write_text(re.sub(r"^# ([A-Z_]+=)", r"\1", text, flags=re.MULTILINE))
    settings = Settings(_env_file=whole, target_variant="shop")
    assert settings.current_key in settings.secret_keys
    create_app(settings)
