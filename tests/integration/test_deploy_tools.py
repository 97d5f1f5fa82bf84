"""The container files, judged by the tools of their own world."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.deployment import DOCKER, KUBERNETES

HADOLINT = Path(sys.executable).parent / "hadolint"


def lint(dockerfile: Path) -> str:
    done = subprocess.run(
        [HADOLINT, "--no-color", dockerfile],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_the_dockerfile_follows_good_practice(tmp_path):
    """The linter has nothing to say of it, and something of one without versions."""
    assert lint(DOCKER / "Dockerfile") == ""
    broken = tmp_path / "Dockerfile"
    broken.write_text((DOCKER / "Dockerfile").read_text().replace(":3.11-slim-bookworm", ""))
    assert "DL3006" in lint(broken)


@pytest.mark.parametrize("folder", ["service", "run-once"])
def test_kustomize_puts_the_manifests_together(folder):
    """What `kubectl apply --kustomize` sends has its namespace, labels, image and configuration."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed here")
    rendered = subprocess.check_output(
        [kubectl, "kustomize", str(KUBERNETES / folder)], text=True, timeout=60
    )
    made = {document["kind"]: document for document in yaml.safe_load_all(rendered)}
    workload = made["StatefulSet" if folder == "service" else "CronJob"]
    assert workload["metadata"]["namespace"] == "retrainer"
    assert "image: registry.example.com/retrainer:0.1.0" in rendered
    configuration = made["ConfigMap"]["metadata"]["name"]
    assert configuration.startswith("retrainer-")
    assert f"name: {configuration}" in yaml.safe_dump(workload)
    if folder == "service":
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert made["Service"]["spec"]["selector"].items() <= labels.items()
        assert made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_docker_understands_the_compose_file():
    """Docker's own reading of it, which needs no engine."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run(
            [docker, "compose", "version"], capture_output=True, check=False, timeout=60
        ).returncode
    ):
        pytest.skip("docker compose is not installed here")
    compose = str(DOCKER / "compose.yaml")
    done = subprocess.run(
        [docker, "compose", "--file", compose, "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
