"""deploy/: the tools of its formats find nothing, and what its files say of each other is true."""

from __future__ import annotations

import copy
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices

from chat_magics import ChatConfig, __version__
from chat_magics.server import ServeSettings, serve_settings
from tests.deploy_files import (
    DEPLOY,
    OVERLAYS,
    ROOT,
    compose,
    copy_with_secrets,
    environments,
    instructions,
    manifests,
    tool,
)
from tests.pythons import CHECKOV

Made = dict[str, list[dict[str, Any]]]
"""The objects of each overlay."""
GATEWAY = "gateway.networking.k8s.io"
MIB = 2**20
SERVER, WAITING, PAGE = 160, 60, 130
"""MiB of memory: docs/deploy.md says how they were measured."""


def passes(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("deploy")
    return {overlay: manifests(overlay, folder) for overlay in OVERLAYS}


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The only object of a kind."""
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def all_of(made: Made) -> list[dict[str, Any]]:
    """The objects of all overlays; those that are the same in several once."""
    unlike = {json.dumps(each): each for objects in made.values() for each in objects}
    return list(unlike.values())


def written(objects: list[dict[str, Any]], folder: Path) -> str:
    """A file with these objects."""
    file = folder / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    return str(file)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    passes(tool("hadolint"), "deploy/docker/Dockerfile")


def test_the_file_of_compose_is_of_its_schema() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    passes(tool("check-jsonschema"), *schema, "deploy/compose.yaml")


def test_yamllint_finds_nothing() -> None:
    passes(tool("yamllint"), "--strict", "--config-file", "deploy/.yamllint", "deploy")


def test_the_objects_are_of_the_schemas_of_kubernetes(made: Made, tmp_path: Path) -> None:
    theirs = [each for each in all_of(made) if not each["apiVersion"].startswith(GATEWAY)]
    assert len(theirs) > 10
    passes(tool("kubernetes-validate"), "--strict", written(theirs, tmp_path))


@pytest.mark.npm
def test_the_objects_are_of_the_schemas_of_the_gateway_api(
    made: Made,
) -> None:
    theirs = [each for each in made["gateway"] if each["apiVersion"].startswith(GATEWAY)]
    assert {each["kind"] for each in theirs} == {"Gateway", "HTTPRoute"}
    assert refused(theirs) == []
    route = copy.deepcopy(one(theirs, "HTTPRoute"))
    rule = route["spec"]["rules"][0]
    rule["sessionPersistence"]["sessionNam"] = "x"
    rule["sessionPersistence"]["type"] = "Cooky"
    assert [complaint.partition(" ")[0] for complaint in refused([route])] == [
        "/spec/rules/0/sessionPersistence/sessionNam",
        "/spec/rules/0/sessionPersistence/type",
    ]


def refused(objects: list[dict[str, Any]]) -> list[str]:
    """What the schemas of the Gateway API have against these objects."""
    script = ROOT / "tests" / "gateway_schemas.mjs"
    command = ["node", str(script), str(ROOT / "tests" / ".node" / "node_modules")]
    done = subprocess.run(
        command, input=json.dumps(objects), capture_output=True, text=True, check=True
    )
    return sorted(done.stdout.splitlines())


@pytest.mark.checkov
def test_checkov_finds_nothing_but_what_is_excused(made: Made, tmp_path: Path) -> None:
    written(all_of(made), tmp_path)
    shutil.copy(DEPLOY / "docker" / "Dockerfile", tmp_path)
    config = str(DEPLOY / ".checkov.yaml")
    passes(str(CHECKOV), "--config-file", config, "--directory", str(tmp_path))


def test_every_variable_is_one_that_the_program_knows() -> None:
    known = {f"CHAT_MAGICS_SERVE_{name.upper()}" for name in ServeSettings.model_fields}
    for name, field in ChatConfig.model_fields.items():
        alias = field.validation_alias
        own = (f"CHAT_MAGICS_{name.upper()}",)
        known.update(alias.choices if isinstance(alias, AliasChoices) else own)
    known |= {f"{name}_FILE" for name in known}
    known |= {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE"}
    named = {(place, name) for place, told in environments() for name in told}
    healthy = (DEPLOY / "docker" / "healthy.py").read_text()
    named |= {("healthy.py", name) for name in re.findall(r"CHAT_MAGICS_\w+", healthy)}
    assert sorted((place, name) for place, name in named if name not in known) == []


def test_the_settings_of_the_server_make_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_MAGICS_SERVE_TOKEN", "let-me-in")
    for _place, told in environments():
        for name, value in told.items():
            if name.startswith("CHAT_MAGICS_SERVE_") and not name.endswith("_FILE"):
                monkeypatch.setenv(name, value)
    assert serve_settings({}).max_sessions == 20


def drain(told: dict[str, str]) -> float:
    default = ServeSettings.model_fields["drain_seconds"].get_default()
    return float(told.get("CHAT_MAGICS_SERVE_DRAIN_SECONDS", default))


def test_replies_may_come_to_their_end_before_the_app_is_killed(
    made: Made,
) -> None:
    told = dict(environments())
    pod = one(made["traefik"], "Deployment")["spec"]["template"]["spec"]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    spare = pod["terminationGracePeriodSeconds"] - pause - drain(told["kustomization.yaml"])
    assert spare >= 15
    service = compose()["services"]["app"]
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace - drain(told["compose.yaml"]) >= 15


def test_the_memory_is_that_of_the_pages_that_may_be_open(
    made: Made,
) -> None:
    told = dict(environments())
    (container,) = one(made["traefik"], "Deployment")["spec"]["template"]["spec"]["containers"]
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 1024
    request = int(container["resources"]["requests"]["memory"].removesuffix("Gi")) * 1024
    assert needed(told["kustomization.yaml"]) <= request <= 0.8 * limit
    given = int(compose()["services"]["app"]["mem_limit"].removesuffix("g")) * 1024
    assert needed(told["compose.yaml"]) <= 0.8 * given


def test_the_memory_is_told_as_it_is_counted() -> None:
    told = dict(environments())["kustomization.yaml"]
    pages = told["CHAT_MAGICS_SERVE_MAX_SESSIONS"]
    waiting = told["CHAT_MAGICS_SERVE_PREHEATED"]
    sum_of_all = f"{SERVER} + {pages} × {PAGE} + {waiting} × {WAITING} = {needed(told):,} MiB"
    assert sum_of_all in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def needed(told: dict[str, str]) -> int:
    """MiB for all pages and those that wait."""
    pages = int(told["CHAT_MAGICS_SERVE_MAX_SESSIONS"])
    return SERVER + pages * PAGE + int(told["CHAT_MAGICS_SERVE_PREHEATED"]) * WAITING


def test_three_replicas_run_at_least(made: Made) -> None:
    for objects in made.values():
        scaler = one(objects, "HorizontalPodAutoscaler")["spec"]
        assert scaler["minReplicas"] == 3
        assert scaler["scaleTargetRef"]["name"] == one(objects, "Deployment")["metadata"]["name"]
        assert "replicas" not in one(objects, "Deployment")["spec"]


def test_what_an_overlay_changes_is_changed(made: Made) -> None:
    for overlay, proxy in (("traefik", "traefik"), ("gateway", "envoy-gateway-system")):
        first = one(made[overlay], "NetworkPolicy")["spec"]["ingress"][0]["from"][0]
        names = first["namespaceSelector"]["matchLabels"]
        assert names == {"kubernetes.io/metadata.name": proxy}
        assert one(made[overlay], "Service")["spec"]["sessionAffinity"] == "None"
    service = one(made["traefik"], "Service")["metadata"]["annotations"]
    assert service["traefik.ingress.kubernetes.io/service.sticky.cookie"] == "true"
    (rule,) = one(made["gateway"], "HTTPRoute")["spec"]["rules"]
    assert rule["sessionPersistence"]["type"] == "Cookie"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_selects_and_refers_finds_something(made: Made, overlay: str) -> None:
    objects = made[overlay]
    deployment = one(objects, "Deployment")["spec"]
    pod = deployment["template"]
    labels = pod["metadata"]["labels"]
    assert labels == deployment["selector"]["matchLabels"]
    assert labels == one(objects, "Service")["spec"]["selector"]
    assert labels == one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert labels == one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    (container,) = pod["spec"]["containers"]
    name = container["envFrom"][0]["configMapRef"]["name"]
    assert name == one(objects, "ConfigMap")["metadata"]["name"]
    secrets = next(each for each in pod["spec"]["volumes"] if each["name"] == "secrets")
    secret = one(objects, "Secret")
    assert secrets["secret"]["secretName"] == secret["metadata"]["name"]
    place = next(each for each in container["volumeMounts"] if each["name"] == "secrets")
    files = {Path(each["value"]) for each in container["env"]}
    assert files == {Path(place["mountPath"]) / key for key in secret["data"]}
    assert container["image"] == f"chat-magics:{__version__}"


def test_the_port_is_the_same_everywhere(made: Made) -> None:
    port = ServeSettings.model_fields["port"].get_default()
    (exposed,) = (each.rest for each in instructions() if each.name == "EXPOSE")
    (container,) = one(made["gateway"], "Deployment")["spec"]["template"]["spec"]["containers"]
    (published,) = compose()["services"]["app"]["ports"]
    assert exposed == published.rpartition(":")[2] == str(port)
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "http"


def test_the_secrets_of_compose_are_made_and_kept(tmp_path: Path) -> None:
    folder = copy_with_secrets(tmp_path, "compose", "sk-one\n") / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert {f"secrets/{name}" for name in before} == {
        each["file"] for each in compose()["secrets"].values()
    }
    assert before["openai_api_key"] == "sk-one\n"
    random = {before[name] for name in ("token", "cookie_secret", "postgres_password")}
    assert len(random) == 3
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", each) for each in random)
    assert f":{before['redis_password'].strip()}@redis:" in before["redis_url"]
    # The user of a container is nobody here, and reads them all the same.
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}
    copy_with_secrets(tmp_path, "compose", "sk-two\n")
    assert {file.name: file.read_text() for file in folder.iterdir()} == before


def test_each_service_reads_secrets_that_it_is_given() -> None:
    for service in compose()["services"].values():
        said = json.dumps(service)
        assert set(re.findall(r"/run/secrets/(\w+)", said)) == set(service["secrets"])


def test_what_may_be_sent_to_the_builder_is_what_the_image_is_made_of() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if "!" in line
    }
    copied = set()
    for instruction in instructions():
        if instruction.name == "COPY" and not instruction.rest.startswith("--from"):
            copied.update(instruction.rest.split()[:-1])
    assert copied == allowed
