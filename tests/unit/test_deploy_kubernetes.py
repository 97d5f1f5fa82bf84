"""The Kubernetes manifests, against the schemas of Kubernetes and the profile they promise."""

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml
from support.deployment import KUBERNETES, PATIENCE, application, documents, pods

from retrainer.errors import EXIT_CONFIGURATION

FOLDERS = ("service", "run-once")
MANIFESTS = [
    file for file in sorted(KUBERNETES.glob("*/*.yaml")) if file.name != "kustomization.yaml"
]
PODS = dict(pods())
#: The oldest version of Kubernetes that all that is used here is stable in, and the newest known.
VERSIONS = ("1.31", kubernetes_validate.latest_version())


def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_kubernetes_understands_every_line(file, version):
    """No field is unknown and no value of a wrong type, by Kubernetes' own schemas."""
    for document in documents(file):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_field_is_seen():
    """The test above can fail, also deep in a manifest."""
    text = (KUBERNETES / "service" / "stateful-set.yaml").read_text()
    broken = yaml.safe_load(text.replace("readOnlyRootFilesystem", "readonlyRootFilesystem"))
    with pytest.raises(kubernetes_validate.ValidationError, match="readonlyRootFilesystem"):
        kubernetes_validate.validate(broken, VERSIONS[1], strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_belongs_to_the_kustomization(folder):
    """What it lists is there, and what is there it lists."""
    (kustomization,) = documents(KUBERNETES / folder / "kustomization.yaml")
    beside = {file.name for file in MANIFESTS if file.parent.name == folder}
    assert set(kustomization["resources"]) == beside
    (configuration,) = kustomization["configMapGenerator"]
    assert all((KUBERNETES / folder / file).exists() for file in configuration["files"])


@pytest.mark.parametrize("name", PODS)
def test_pods_keep_to_the_restricted_profile(name):
    """The strictest of Kubernetes' pod security standards, and a read-only root beside."""
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001  # the image's
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(pod)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert {next(k for k in v if k != "name") for v in pod["volumes"]} <= {
        "configMap",
        "emptyDir",
        "persistentVolumeClaim",
        "secret",
    }
    assert pod["automountServiceAccountToken"] is False


def test_the_namespace_enforces_that_profile():
    """A pod that asks for more is not started."""
    (namespace,) = documents(KUBERNETES / "service" / "namespace.yaml")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", PODS)
def test_no_variables_of_services_reach_the_container(name):
    """Kubernetes would set RETRAINER_PORT for a service of that name: an unknown option."""
    assert PODS[name]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", PODS)
def test_only_the_state_and_memory_can_be_written(name):
    """The root is read-only, so that these two folders have to be there; the rest only is read."""
    mounts = container(PODS[name])["volumeMounts"]
    writable = {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}
    assert writable == {"/var/lib/retrainer", "/tmp"}
    claimed = {volume["name"] for volume in PODS[name]["volumes"]}
    if name == "stateful-set.yaml":
        (workload,) = documents(KUBERNETES / "service" / name)
        claimed |= {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in mounts} == claimed


@pytest.mark.parametrize("name", PODS)
def test_pods_are_given_the_time_to_stop(name):
    """Longer than the daemon's own limit, so that a cycle can be put down."""
    assert PODS[name]["terminationGracePeriodSeconds"] >= PATIENCE.total_seconds()


def test_there_is_never_more_than_one():
    """One pod owns the volume; a roll-out, or a lost node, must not start a second beside it."""
    (workload,) = documents(KUBERNETES / "service" / "stateful-set.yaml")
    assert workload["kind"] == "StatefulSet"
    assert workload["spec"]["replicas"] == 1
    (job,) = documents(KUBERNETES / "run-once" / "cron-job.yaml")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


def test_ports_are_those_of_the_container():
    """Probes, service and network policy name a port that the container has."""
    one = container(PODS["stateful-set.yaml"])
    (port,) = one["ports"]
    for probe, path in (
        ("startup", "/healthz"),
        ("liveness", "/healthz"),
        ("readiness", "/readyz"),
    ):
        assert one[f"{probe}Probe"]["httpGet"] == {"path": path, "port": port["name"]}
    (service,) = documents(KUBERNETES / "service" / "service.yaml")
    assert [p["targetPort"] for p in service["spec"]["ports"]] == [port["name"]]
    (policy,) = documents(KUBERNETES / "service" / "network-policy.yaml")
    assert [p["port"] for rule in policy["spec"]["ingress"] for p in rule["ports"]] == ["http"]


def test_a_wrong_configuration_is_not_tried_again():
    """The job knows the exit code that another try would not change."""
    (job,) = documents(KUBERNETES / "run-once" / "cron-job.yaml")
    (rule,) = job["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [EXIT_CONFIGURATION]
    assert container(PODS["cron-job.yaml"])["args"] == ["run-once"]


@pytest.mark.parametrize(
    ("folder", "name"), [("service", "stateful-set.yaml"), ("run-once", "cron-job.yaml")]
)
def test_the_configuration_is_understood(folder, name, tmp_path):
    """The real settings take it, with the secret's keys as credentials.

    The worker's limit of memory is below the container's, which would take the service along.
    """
    text = "".join(file.read_text() for file in (KUBERNETES / folder).iterdir())
    credentials = {*re.findall(r"RETRAINER_[A-Z_]+(?=:|=|\.)", text)} - {"RETRAINER_PORT"}
    made = application(KUBERNETES / folder / "retrainer.toml", tmp_path / "c", {}, *credentials)
    assert list(made.settings.assistants) == ["helpdesk"]
    assert (made.settings.http.token is not None) == (folder == "service")
    limit = made.settings.rasa.memory_limit
    assert container(PODS[name])["resources"]["limits"]["memory"] == "12Gi"
    assert limit is not None
    assert limit < 11 * 2**30
