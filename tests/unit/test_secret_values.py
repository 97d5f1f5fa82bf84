"""Every secret of a configuration is known to the log."""

from pathlib import Path

import pytest

from retrainer.settings import load
from retrainer.settings.secrets import secret_values

CONFIG = """
database = "postgresql+psycopg://me:pass%2Fw%C3%B6rd-1@host/db"
records = "s3://records-key:records-secret@bucket/prefix"

[http]
token = "http-token-of-16"
hook_secret = "hook-secret-of-16"
tokens.ci = { token = "ci-token-of-16-chars", scopes = ["read"] }

[notifiers.team]
type = "slack"
webhook_url = "https://hooks.slack.com/services/T0000/B0000/XXXXXXXX"

[notifiers.experiments]
type = "mlflow"
tracking_uri = "https://mlflow.example.org"
username = "retrainer"
password = "mlflow-password"

[notifiers.short]
type = "mlflow"
tracking_uri = "https://mlflow.example.org"
token = "12345"

[notifiers.wrong]
type = "mlflow"
password = "not-even-seen"
proxy = "https://user:proxy-password@host"

[assistants.shop]
source = { type = "git", url = "https://git.example.org/shop.git", token = "git-token" }

[assistants.shop.platform]
type = "rasa_server"
servers = [{ url = "http://rasa:5005", jwt_secret = "server-secret" }]
storage = { url = "s3://bucket", key = "AKIA", secret = "storage-secret" }

[assistants.bank]
sources.x = { type = "rasa_x", url = "https://rasa.example.org", username = "me", password = "x-password" }
sources.d = { type = "directory", path = "bank" }

[assistants.other]
source = { type = "unknown", token = "nobody-knows" }
"""


@pytest.fixture
def found(tmp_path: Path) -> frozenset[str]:
    path = tmp_path / "retrainer.toml"
    path.write_text(CONFIG)
    return secret_values(load(path, {}), {})


@pytest.mark.parametrize(
    "secret",
    [
        "pass/wörd-1",
        "pass%2Fw%C3%B6rd-1",
        "postgresql+psycopg://me:pass%2Fw%C3%B6rd-1@host/db",
        "records-secret",
        "http-token-of-16",
        "hook-secret-of-16",
        "ci-token-of-16-chars",
        "https://hooks.slack.com/services/T0000/B0000/XXXXXXXX",
        "/services/T0000/B0000/XXXXXXXX",
        "XXXXXXXX",
        "mlflow-password",
        "git-token",
        "server-secret",
        "storage-secret",
        "x-password",
        "proxy-password",
    ],
)
def test_a_secret_is_found_wherever_it_stands(found, secret):
    """In the settings, in a plugin's options however deep, and in an address."""
    assert secret in found


def test_nothing_else_is_a_secret(found):
    """A log without its ordinary words would say nothing; a secret of 5 signs is such a word."""
    assert len(found) == 16
    assert all(len(secret) >= 6 for secret in found)


def test_the_environment_has_secrets_too(tmp_path):
    """What libraries read by themselves is in the log of nobody either."""
    path = tmp_path / "retrainer.toml"
    path.write_text('[assistants.shop]\nsource = { type = "directory", path = "shop" }\n')
    environment = {
        "AWS_SECRET_ACCESS_KEY": "aws-secret",
        "AWS_SESSION_TOKEN": "aws-session",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "PGPASSWORD": "pg-password",
        "AZURE_STORAGE_KEY": "azure-key",
        "https_proxy": "http://me:proxy-word@proxy:3128",
        "SOME_URL": "https://host/path?sig=signature&limit=100000",
        "PATH": "/usr/bin:/bin",
        "GPG_KEY": "of a container image, and public",
        "RETRAINER_HTTP__TOKEN": "a-token-of-16-signs",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    }
    assert secret_values(load(path, environment), environment) == {
        "aws-secret",
        "aws-session",
        "pg-password",
        "azure-key",
        "proxy-word",
        "signature",
        "a-token-of-16-signs",
    }
