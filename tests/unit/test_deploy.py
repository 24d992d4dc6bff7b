"""The manifests under deploy/ use options that the commands have."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from assay.cli.app import app
from assay.load_tests import requirements

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"


def documents() -> list[dict[str, Any]]:
    return [
        document
        for path in sorted(FOLDER.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]


def kind(name: str) -> dict[str, Any]:
    (found,) = [document for document in documents() if document["kind"] == name]
    return found


def parsed(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the command line of a pod's container."""
    arguments = list(pod["template"]["spec"]["containers"][0]["args"])
    group: Any = get_command(app)
    command = group.get_command(None, arguments[0])
    context = command.make_context(arguments[0], arguments[1:], resilient_parsing=False)
    found: dict[str, Any] = context.params
    return found


def test_master_and_workers_say_what_the_commands_understand() -> None:
    job, workers = kind("Job")["spec"], kind("Deployment")["spec"]
    load, worker = parsed(job), parsed(workers)
    assert load["master"] and load["expect_workers"] == workers["replicas"]
    for text in load["require"]:
        assert requirements.parse(text)
    service = kind("Service")
    host, port = worker["join"].split(":")
    assert host == service["metadata"]["name"]
    assert {int(port)} == {entry["port"] for entry in service["spec"]["ports"]}
    assert load["bind"] == f"*:{port}"


def test_labels_fit_and_every_resource_is_named() -> None:
    pods = [kind("Job")["spec"], kind("Deployment")["spec"]]
    labels = [pod["template"]["metadata"]["labels"] for pod in pods]
    assert kind("Service")["spec"]["selector"] == labels[0]
    assert kind("Deployment")["spec"]["selector"]["matchLabels"] == labels[1]
    named = kind("Kustomization")
    for file in named["resources"] + named["configMapGenerator"][0]["files"]:
        assert (FOLDER / file).is_file()
    volumes = {v["name"] for v in pods[0]["template"]["spec"]["volumes"]}
    mounts = pods[0]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {mount["name"] for mount in mounts} == volumes
    files = {f"{m['mountPath']}/locustfile.py" for m in mounts}
    assert str(parsed(pods[0])["locustfile"]) in files


def test_the_image_has_the_versions_of_the_lock() -> None:
    """The files that it copies exist, and pip can read its list of versions."""
    image = (FOLDER.parent / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (.+) /src/", image, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
    listed = re.search(
        r"RUN python /src/(\S+) > (\S+) .+?&& (cut .+?) \2 > (\S+)", image, re.DOTALL
    )
    assert listed and f"--constraint {listed[4]} /src" in image
    assert listed[1] in image[: listed.start()]
    made = subprocess.run(
        f"{shlex.quote(sys.executable)} {listed[1]} | {listed[3]}",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    pins = made.stdout.splitlines()
    assert any(pin.startswith("locust==") for pin in pins)
    assert all(re.fullmatch(r"[\w.-]+==\S+", pin) for pin in pins)


@pytest.mark.parametrize("name", ["Job", "Deployment"])
def test_pods_ask_for_no_rights(name: str) -> None:
    spec = kind(name)["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"]


def test_the_locustfile_is_one() -> None:
    ast.parse((FOLDER / "locustfile.py").read_text())
