"""The Kubernetes manifests fit the program, the Dockerfile, compose.yaml and each other.

Their form is checked against the API's schemas where kubernetes-validate is installed: `make check-manifests`. It
carries the schemas of every version, 17,000 files, so it is no part of the usual environment.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from backend.cli.main import COMMANDS
from backend.http.app import create_app
from backend.settings import Settings
from tests.docker.test_files import DOCKERFILE, ELSEWHERE, ROOT, SERVICES

FOLDER = ROOT / "docs/deploy/kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (one["kind"], one["metadata"]["name"]): one for file in FILES for one in yaml.safe_load_all(file.read_text())
}
SECRET = re.findall(r"^([A-Z_]+)=", (FOLDER / "secret.env.example").read_text(), re.MULTILINE)
CONFIG = OBJECTS["ConfigMap", "stvg"]["data"]
PODS = {name: one["spec"]["template"] for (kind, name), one in OBJECTS.items() if kind in ("Deployment", "Job")}
USED = next(rest for keyword, rest in DOCKERFILE if keyword == "ENV")


def _container(name: str) -> dict[str, Any]:
    [found] = PODS[name]["spec"]["containers"]
    return dict(found)


def test_everything_is_there_once() -> None:
    assert sum(len(list(yaml.safe_load_all(file.read_text()))) for file in FILES) == len(OBJECTS) == 9
    assert set(PODS) == {"stvg-migrate", "stvg-web", "stvg-worker"}


def test_every_variable_is_a_setting_and_the_necessary_ones_are_given() -> None:
    commented = re.findall(r"# (STVG_[A-Z_]+):", (FOLDER / "config.yaml").read_text())
    given = [*CONFIG, *SECRET]
    assert len(given) == len(set(given)) and len(commented) == 2
    ours = {name.removeprefix("STVG_").lower() for name in (*given, *commented) if name.startswith("STVG_")}
    assert ours <= set(Settings.model_fields)
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert not {name.lower().removeprefix("stvg_") for name in CONFIG} & (secret | {"database_url"})
    method = {"PRESET", "SET", "PRECISION", "DECOMPOSER", "DECOMPOSER_MODEL"}
    method |= {"LOCATOR", "LLM_URL", "LLM_KEY", "LLM_MODEL"}
    composed = set(SERVICES["web"]["environment"]) - {f"STVG_{name}" for name in method}
    assert composed == {*given, *commented}
    for name in PODS:
        assert _container(name)["envFrom"] == [{"configMapRef": {"name": "stvg"}}, {"secretRef": {"name": "stvg"}}]


def test_the_values_are_ones_that_the_program_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CONFIG.items():
        assert isinstance(value, str), f"{name}: a ConfigMap holds text"
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.label_studio_url == "http://label-studio:8080" and settings.log_format == "json"
    assert all(CONFIG[name].startswith("/tmp/") for name in ELSEWHERE)


def test_the_commands_exist_and_all_run_one_image_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {_container(name)["image"] for name in PODS} == {f"registry.example.org/stvg:{version}"}
    commands = {name: _container(name)["command"] for name in PODS}
    assert commands == {
        "stvg-migrate": SERVICES["migrate"]["command"], "stvg-web": SERVICES["web"]["command"],
        "stvg-worker": SERVICES["worker-0"]["command"],
    }  # fmt: skip
    assert all(command[1] in COMMANDS for command in commands.values())


def test_no_pod_has_more_rights_than_it_needs() -> None:
    [user] = [rest for keyword, rest in DOCKERFILE if keyword == "RUN" and rest.startswith("useradd")]
    number = int(user.split("--uid ")[1].split()[0])
    for name, pod in PODS.items():
        spec, container = pod["spec"], _container(name)
        outer, inner = spec["securityContext"], container["securityContext"]
        assert (outer["runAsNonRoot"], outer["runAsUser"], outer["runAsGroup"]) == (True, number, number), name
        assert outer["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert outer.get("fsGroup", number) == number, name
        assert inner == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert spec["automountServiceAccountToken"] is False, name
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        assert "memory" in container["resources"]["limits"], name


def test_no_variable_of_the_cluster_is_taken_for_a_setting() -> None:
    """A Service named stvg would become STVG_PORT=tcp://..., in every pod that asks for such variables."""
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in PODS.values())


def test_each_worker_has_one_gpu_and_nothing_else_has_any() -> None:
    with_gpus = {name: _container(name)["resources"]["limits"].get("nvidia.com/gpu") for name in PODS}
    assert with_gpus == {"stvg-migrate": None, "stvg-web": None, "stvg-worker": 1}


def test_the_old_version_ends_before_the_new_one_begins() -> None:
    for name in ("stvg-web", "stvg-worker"):
        assert OBJECTS["Deployment", name]["spec"]["strategy"] == {"type": "Recreate"}
        assert PODS[name]["spec"]["terminationGracePeriodSeconds"] > 10


def test_volumes_exist_and_lie_where_the_image_and_compose_have_them() -> None:
    for name in PODS:
        volumes = {volume["name"]: volume for volume in PODS[name]["spec"]["volumes"]}
        mounts = {mount["name"]: mount for mount in _container(name)["volumeMounts"]}
        assert set(volumes) == set(mounts), name
        claims = [one["persistentVolumeClaim"] for one in volumes.values() if "persistentVolumeClaim" in one]
        assert all(("PersistentVolumeClaim", claim["claimName"]) in OBJECTS for claim in claims), name
        places = {mount["mountPath"]: mount.get("readOnly", False) for mount in mounts.values()}
        wanted = {"/tmp": False, "/data": False, CONFIG["STVG_DOCUMENT_ROOT"]: True}
        assert places == (wanted if name != "stvg-migrate" else {"/tmp": False}), name
    assert "STVG_DATA_DIR=/data" in USED and "HF_HOME=/data/" in USED
    composed = {":".join(volume.rsplit(":", 2)[1:]) for volume in SERVICES["web"]["volumes"]}
    assert any(place.endswith("/videos:ro") for place in composed)


def test_the_port_is_one_and_the_probes_are_routes(tmp_path: Path) -> None:
    [port] = [int(found) for found in re.findall(r"STVG_PORT=(\d+)", USED)]
    assert "STVG_HOST=0.0.0.0" in USED
    web = _container("stvg-web")
    assert web["ports"] == [{"name": "http", "containerPort": port}]
    assert OBJECTS["Service", "stvg-web"]["spec"]["ports"] == [{"name": "http", "port": port, "targetPort": "http"}]
    settings = Settings(api_token=SecretStr("a-token-of-this-test"), data_dir=tmp_path)
    routes = {rule.rule for rule in create_app(settings, model_version="m@1/2").url_map.iter_rules()}
    probes = {key: probe for key, probe in web.items() if key.endswith("Probe")}
    assert len(probes) == 3
    for probe in probes.values():
        assert probe["httpGet"]["path"] in routes and probe["httpGet"]["port"] == "http"
        assert probe["timeoutSeconds"] > 6  # so long an answer about a database that is away may take
    assert probes["readinessProbe"]["httpGet"]["path"] == "/ready"
    for name in ("stvg-migrate", "stvg-worker"):  # they listen on no port
        assert not [key for key in _container(name) if key.endswith("Probe") or key == "ports"]


def test_labels_lead_to_the_pods() -> None:
    def chosen(selector: dict[str, str]) -> set[str]:
        return {name for name, pod in PODS.items() if selector.items() <= pod["metadata"]["labels"].items()}

    for name in ("stvg-web", "stvg-worker"):
        assert chosen(OBJECTS["Deployment", name]["spec"]["selector"]["matchLabels"]) == {name}
    assert chosen(OBJECTS["Service", "stvg-web"]["spec"]["selector"]) == {"stvg-web"}
    assert chosen(OBJECTS["NetworkPolicy", "stvg"]["spec"]["podSelector"]["matchLabels"]) == set(PODS)
    assert chosen(OBJECTS["NetworkPolicy", "stvg-web"]["spec"]["podSelector"]["matchLabels"]) == {"stvg-web"}


def _ports(rules: list[dict[str, Any]]) -> Iterator[int]:
    for rule in rules:
        for port in rule["ports"]:
            yield port["port"]


def test_what_the_pods_need_is_let_through() -> None:
    everybody, web = (OBJECTS["NetworkPolicy", name]["spec"] for name in ("stvg", "stvg-web"))
    assert everybody["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in everybody
    database = int(re.findall(r"^STVG_DATABASE_URL=.*:(\d+)/", (FOLDER / "secret.env.example").read_text(), re.M)[0])
    label_studio = int(CONFIG["STVG_LABEL_STUDIO_URL"].rsplit(":", 1)[1])
    assert set(_ports(everybody["egress"])) == {53, database, label_studio, 443}
    assert list(_ports(web["ingress"])) == [9090]


def test_the_docs_name_every_file() -> None:
    text = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    section = text.partition("## Kubernetes\n")[2].partition("\n## ")[0]
    places = [section.find(f"`{file.name}`") for file in FILES]
    assert all(place >= 0 for place in places), [file.name for file in FILES]
    assert "secret.env" in section and "--from-env-file" in section


def test_the_api_knows_every_field() -> None:
    """Needs kubernetes-validate, which brings the schemas along."""
    validate = pytest.importorskip(
        "kubernetes_validate",
        reason="NO kubernetes-validate: the manifests' form was not checked. `make check-manifests`",
    )
    versions = ("1.31", "1.34", "1.37")
    for version in versions:
        for one in OBJECTS.values():
            validate.validate(one, version, strict=True)
    wrong = {**OBJECTS["Service", "stvg-web"], "spce": {}}
    with pytest.raises(validate.ValidationError):
        validate.validate(wrong, versions[-1], strict=True)
