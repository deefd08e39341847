"""What can be said of the deployment files without a container engine: they parse, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.commands.serve import SECONDS_TO_FINISH
from service.endpoints.health import HEALTH, READINESS
from service.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
FILES = ("Dockerfile", "compose.yaml", "Caddyfile", "README.md", "kubernetes/b12-cds.yaml")
NAME = "b12.hospital.example"
Json = dict[str, Any]
DOCKERFILE = (DOCKER / "Dockerfile").read_text("utf-8")
COMPOSE: Json = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
KUBERNETES: list[Json] = list(yaml.safe_load_all((DOCKER / "kubernetes" / "b12-cds.yaml").read_text("utf-8")))


def of_kind(kind: str) -> Json:
    [found] = [each for each in KUBERNETES if each["kind"] == kind]
    return found


def pod() -> Json:
    return dict(of_kind("Deployment")["spec"]["template"]["spec"])


def containers() -> list[Json]:
    return [*pod()["initContainers"], *pod()["containers"]]


def replicas() -> list[Json]:
    return [service for name, service in COMPOSE["services"].items() if name.startswith("b12-cds")]


@pytest.mark.parametrize("file", FILES)
def test_every_variable_that_a_deployment_file_names_is_a_setting(file: str) -> None:
    named = set(re.findall(rf"{ENV_PREFIX}([A-Z_]+)", (DOCKER / file).read_text("utf-8")))

    assert named - {name.upper() for name in Settings.model_fields} == set()
    assert named or file == "Caddyfile"


def test_the_values_that_are_set_are_values_that_fit() -> None:
    [container] = pod()["containers"]
    written = [{each["name"]: each["value"] for each in container["env"] if "value" in each}]
    written += [replica["environment"] for replica in replicas()]
    for variables in written:
        values = {name.removeprefix(ENV_PREFIX).lower(): _filled_in(value) for name, value in variables.items()}

        assert Settings.model_validate(values).public_url == f"https://{NAME}"


def _filled_in(value: str) -> str:
    """A value of the composition as its user completes it: the default where there is one."""
    return re.sub(r"\$\{\w+:[?-](\w*)[^}]*\}", lambda found: found[1] if ":-" in found[0] else NAME, value)


def test_what_is_secret_is_never_written_down() -> None:
    secret = {name.upper() for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert {"DATABASE_URL", "OPERATOR_TOKEN"} <= secret
    for container in containers():
        for variable in container.get("env", []):
            if variable["name"].removeprefix(ENV_PREFIX) in secret:
                assert variable["valueFrom"]["secretKeyRef"]["name"] == "b12-cds"
    for replica in replicas():
        assert not {name.removeprefix(ENV_PREFIX) for name in replica["environment"]} & secret
        assert replica["env_file"].startswith("./secrets/")


def test_the_probes_ask_addresses_that_the_service_has() -> None:
    [container] = pod()["containers"]
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": HEALTH,
        "livenessProbe": HEALTH,
        "readinessProbe": READINESS,
    }
    assert {probe["port"] for probe in probes.values()} == {container["ports"][0]["name"]}
    assert f"http://127.0.0.1:8000{HEALTH}" in DOCKERFILE
    assert f"health_uri {READINESS}" in (DOCKER / "Caddyfile").read_text("utf-8")


def test_every_container_runs_as_an_ordinary_user_on_a_file_system_it_cannot_write() -> None:
    assert pod()["securityContext"]["runAsNonRoot"]
    assert pod()["automountServiceAccountToken"] is False
    for container in containers():
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    for service in COMPOSE["services"].values():
        assert service["read_only"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert pod()["securityContext"]["runAsUser"] == 10001


def test_every_container_has_limits() -> None:
    for container in containers():
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
    for replica in replicas():
        assert replica["mem_limit"]


def test_two_replicas_share_one_database_behind_a_proxy_with_tls() -> None:
    proxied = re.findall(r"^\treverse_proxy (.+) \{$", (DOCKER / "Caddyfile").read_text("utf-8"), re.MULTILINE)

    assert [line.split() for line in proxied] == [["b12-cds-1:8000", "b12-cds-2:8000"]]
    assert len(replicas()) == 2
    # Nothing but the proxy can be reached from outside.
    assert [name for name, service in COMPOSE["services"].items() if "ports" in service] == ["proxy"]
    assert of_kind("Deployment")["spec"]["replicas"] == of_kind("HorizontalPodAutoscaler")["spec"]["minReplicas"] == 2


@pytest.mark.req(175, 179)
def test_one_port_of_the_proxy_asks_the_ehr_for_a_certificate() -> None:
    """Mutual TLS may stand beside the token, and does not take its place: both ports lead to the same service."""
    caddyfile = (DOCKER / "Caddyfile").read_text("utf-8")
    sites = dict(re.findall(r"^\{\$B12_HOST\}(:\d+)? \{\n(.*?)^\}", caddyfile, re.MULTILINE | re.DOTALL))

    assert set(sites) == {"", ":8443"}
    assert all("import replicas" in site and "protocols tls1.2 tls1.3" in site for site in sites.values())
    assert "client_auth" not in sites[""]
    assert re.search(r"client_auth \{\s+mode require_and_verify\s+trust_pool file \S+", sites[":8443"])


def test_what_points_at_each_other_in_kubernetes_fits() -> None:
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of_kind("Service")["spec"]["selector"] == labels
    assert of_kind("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    scaled = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("Deployment", of_kind("Deployment")["metadata"]["name"])
    volumes = {volume["name"] for volume in pod()["volumes"]}
    assert all(mount["name"] in volumes for container in containers() for mount in container["volumeMounts"])


def test_every_secret_file_of_the_composition_is_explained() -> None:
    readme = (DOCKER / "README.md").read_text("utf-8")
    files = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    files |= {Path(replica["env_file"]).name for replica in replicas()}
    files |= {Path(volume.split(":")[0]).name for replica in replicas() for volume in replica["volumes"]}

    assert {name for name in files if f"`{name}`" not in readme} == set()


def test_the_image_installs_what_the_lock_file_pins() -> None:
    installed = re.findall(r"pip install .*", DOCKERFILE)

    assert len(installed) == 1
    assert "--require-hashes" in installed[0]
    assert installed[0].endswith("-r requirements.lock")
    # What is copied is there, and is not kept out of the build.
    sent = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    copied = {name for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def test_calls_in_flight_are_given_the_time_that_the_service_takes_to_end() -> None:
    [container] = pod()["containers"]
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert pod()["terminationGracePeriodSeconds"] > before + SECONDS_TO_FINISH
    assert all(int(replica["stop_grace_period"].removesuffix("s")) > SECONDS_TO_FINISH for replica in replicas())
