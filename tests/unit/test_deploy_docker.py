"""The container image and the compose file, as far as they can be checked without an engine."""

import re
import tomllib

import compose_spec
import pytest
import yaml
from support.deployment import (
    DOCKER,
    PATIENCE,
    ROOT,
    application,
    compose,
    dockerfile,
    documents,
    in_build_context,
)

from retrainer.settings.model import HttpSettings

STAGES = {stage[0][1].rpartition(" AS ")[2]: stage for stage in dockerfile()}
IMAGE = STAGES["image"]
SERVICES = yaml.safe_load(compose())["services"]
WORKER = tomllib.loads((ROOT / "retrainer/rasa_worker/pyproject.toml").read_text())["project"]


def environment() -> dict[str, str]:
    """What the image sets."""
    words = " ".join(value for name, value in IMAGE if name == "ENV").split()
    return dict(word.split("=", 1) for word in words)


def position(instruction: str, word: str) -> int:
    (found,) = (
        index
        for index, (name, value) in enumerate(IMAGE)
        if name == instruction and word in value.split()
    )
    return found


def test_every_base_has_a_version():
    """A rebuild brings security fixes of the same release, and never another Python or Debian."""
    bases = [stage[0][1].split(" AS ")[0] for stage in STAGES.values()]
    outside = {base for base in bases if base not in STAGES}
    assert all(re.fullmatch(r"python:3\.1\d-slim-bookworm", base) for base in outside), outside
    # Python 3.10 is copied beside the other, and so has to come from the same Debian.
    assert f"{IMAGE[0][1]} {STAGES['rasa'][0][1]}".count("slim-bookworm") == 2


def test_what_is_copied_is_there_and_reaches_the_build():
    """Each source of a COPY lies in the project, and .dockerignore lets it through."""
    sources = [
        source
        for stage in STAGES.values()
        for name, value in stage
        if name == "COPY" and "--from=" not in value
        for source in value.split()[:-1]
    ]
    assert len(sources) > 5
    assert [s for s in sources if not (ROOT / s).exists() or not in_build_context(s)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".git",
        ".venv/bin/python",
        "retrainer.toml",
        ".retrainer/retrainer.db",
        "deploy/docker/secrets/http_token",
        "retrainer/settings/__pycache__/model.pyc",
        "tests/conftest.py",
    ],
)
def test_nothing_else_reaches_the_build(path):
    """State, secrets and environments of the machine that builds cannot get into an image."""
    assert not in_build_context(path)


def test_rasa_is_not_built_again_when_code_changes():
    """Before its 2.5 GB only its own lock is read, and what changes more often comes after them."""
    for name in ("rasa", "service"):
        copied = " ".join(value for step, value in STAGES[name] if step == "COPY")
        assert "requirements.txt" in copied
        assert not re.search(r"(^| )(retrainer|migrations|\.) ", copied)
    rasa, service = position("COPY", "/opt/rasa"), position("COPY", "/opt/retrainer")
    package = next(i for i, (_, value) in enumerate(IMAGE) if "/dist/*.whl" in value)
    assert rasa < service < package < position("COPY", "/etc/retrainer/retrainer.toml")
    # The wheel is copied: not every builder looks into a mount before it takes a layer from its cache.
    assert position("COPY", "/dist") == package - 1
    assert "--mount" not in IMAGE[package][1]


def test_everything_that_is_installed_is_known_by_its_hash():
    """Each installation in the build checks hashes, or takes nothing but the wheel made before."""
    installed = [
        command
        for stage in STAGES.values()
        for name, value in stage
        if name == "RUN"
        for command in value.split("&&")
        if re.search(r"\b(pip install|pip sync|uv build)\b", command)
    ]
    assert len(installed) == 4
    for command in installed:
        assert "--require-hashes" in command or {"--no-index", "--no-deps"} <= {*command.split()}


def test_the_python_of_rasa_is_one_that_it_runs_on():
    """The image's second Python is within what Rasa's own project allows."""
    assert WORKER["requires-python"] == ">=3.8,<3.11"
    assert STAGES["rasa"][0][1].startswith("python:3.10-")
    assert IMAGE[position("COPY", "/usr/local/lib/python3.10")][1].startswith("--from=rasa ")


def test_the_image_runs_as_nobody_in_particular():
    """A number, so that Kubernetes sees that it is not root; after it nothing is installed."""
    user = position("USER", "10001:10001")
    assert {name for name, _ in IMAGE[user:]}.isdisjoint({"RUN", "COPY", "ADD"})
    assert ("STOPSIGNAL", "SIGTERM") in IMAGE
    assert ("ENTRYPOINT", '["tini", "--", "retrainer"]') in IMAGE
    assert ("CMD", '["run"]') in IMAGE


def test_the_health_check_asks_where_the_service_listens():
    """It needs the HTTP side, which the image turns on, at the port that is the default."""
    (check,) = (value for name, value in IMAGE if name == "HEALTHCHECK")
    assert f"http://127.0.0.1:{HttpSettings().port}/healthz" in check
    assert environment()["RETRAINER_HTTP__ENABLED"] == "true"


def test_the_image_sets_nothing_secret(tmp_path):
    """Its variables are options that retrainer knows, and hold no secret."""
    variables = environment()
    assert not [name for name in variables if re.search("TOKEN|SECRET|PASSWORD|DATABASE", name)]
    made = application(DOCKER / "retrainer.toml", tmp_path / "credentials", variables)
    assert str(made.state_dir) == "/var/lib/retrainer"
    assert str(made.settings.rasa.python) == "/opt/rasa/bin/python"


def test_the_compose_file_is_one():
    """Every key and value is one of the Compose specification; a misspelt one is not."""
    options = compose_spec.PyOptions(apply_merge=True)
    assert set(options.from_yaml(compose()).service_names()) == {"postgres", "retrainer", "rasa"}
    for right, wrong in (("read_only:", "read_onyl:"), ("[database]", "[databse]")):
        with pytest.raises(ValueError, match=r"onyl|databse"):
            options.from_yaml(compose().replace(right, wrong)).validate()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_locked_down(name):
    """Nothing can be written but volumes and memory, no privilege be had, and its health is known."""
    service = SERVICES[name]
    # The health check of retrainer is in its image.
    checked = {other for other, how in SERVICES.items() if {"healthcheck", "build"} & how.keys()}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert name in checked
    assert "/tmp" in " ".join(service["tmpfs"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for other, how in service.get("depends_on", {}).items():
        assert other in checked
        assert how["condition"] == "service_healthy"


def test_containers_are_given_the_time_to_stop():
    """Longer than the daemon's own limit, so that a cycle can be put down."""
    assert SERVICES["retrainer"]["stop_grace_period"] == "90s"
    assert PATIENCE.total_seconds() <= 90


def test_the_files_that_are_mounted_are_there():
    """Each lies beside the compose file, but the secrets, which git is told to leave alone."""
    mounted = [
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service["volumes"]
        if volume.startswith(".")
    ]
    assert len(mounted) == 4
    assert [path for path in mounted if not (DOCKER / path).exists()] == []
    files = [secret["file"] for secret in yaml.safe_load(compose())["secrets"].values()]
    assert all(file.startswith("./secrets/") for file in files)
    assert "/deploy/docker/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_secrets_are_options(tmp_path):
    """Each file that is mounted is named like an option that exists, those of the plugins too."""
    retrainer = SERVICES["retrainer"]
    assert retrainer["environment"] == {"CREDENTIALS_DIRECTORY": "/run/secrets"}
    targets = [secret["target"] for secret in retrainer["secrets"]]
    made = application(DOCKER / "retrainer.toml", tmp_path / "credentials", environment(), *targets)
    assert made.settings.http.token is not None
    assert made.settings.database is not None


def test_the_rasa_server_follows_the_champion_of_the_config():
    """Its version is the one that models are trained with, its address and assistant are ours."""
    assert f"rasa=={SERVICES['rasa']['image'].rpartition(':')[2]}" in WORKER["dependencies"]
    (endpoints,) = documents(DOCKER / "endpoints.yml")
    config = tomllib.loads((DOCKER / "retrainer.toml").read_text())
    (assistant,) = config["assistants"]
    models = endpoints["models"]
    assert models["url"] == f"http://retrainer:{HttpSettings().port}/models/{assistant}/champion"
    assert models["token"] == "${RETRAINER_HTTP__TOKEN}"
    platform = config["assistants"][assistant]["platform"]
    assert platform["servers"] == [{"url": "http://rasa:5005"}]
    assert "rest" in documents(DOCKER / "credentials.yml")[0]
