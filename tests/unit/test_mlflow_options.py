"""Options of the MLflow notifier."""

import pytest
from pydantic import ValidationError

from retrainer.adapters.mlflow.notifier import MlflowNotifier
from retrainer.errors import ConfigurationError

URI = "https://mlflow.example.com"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tracking_uri": "mlruns"},
        {"tracking_uri": "https://me:S3CRET@host"},
        {"tracking_uri": "https://host/?token=S3CRET"},
        {"tracking_uri": URI, "username": "me"},
        {"tracking_uri": URI, "password": "S3CRET"},
        {"tracking_uri": URI, "username": "me", "password": "S3CRET", "token": "S3CRET"},
        {"tracking_uri": URI, "timeout": 0},
        {"tracking_uri": URI, "timeout": float("inf")},
        {"tracking_uri": URI, "experiment": ""},
        {"tracking_uri": URI, "experiment": "{cycle}"},
        {"tracking_uri": URI, "model": "a/b"},
        {"tracking_uri": URI, "model": "it's"},
        {"tracking_uri": URI, "modell": "typo"},
    ],
)
def test_what_cannot_work_is_refused(given):
    """At the start, with the key, and without the secret."""
    with pytest.raises(ValidationError) as caught:
        MlflowNotifier.Options.model_validate(given)
    assert "S3CRET" not in str(caught.value)


def test_secrets_are_not_shown():
    """Options may stand in any error's details."""
    options = MlflowNotifier.Options(tracking_uri=URI, username="me", password="S3CRET")
    assert "S3CRET" not in repr(options)


def test_a_missing_file_of_authorities_is_found_at_the_start(tmp_path):
    """Not only after the first cycle, in the night."""
    options = MlflowNotifier.Options(tracking_uri=URI, ca_file="ca.pem")
    with pytest.raises(ConfigurationError, match=str(tmp_path / "ca.pem")):
        MlflowNotifier.from_options(options, folder=tmp_path, render=None, fetch=None)
