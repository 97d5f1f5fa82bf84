"""What an MLflow server keeps, as a person would look at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests


@dataclass(frozen=True)
class KeptRun:
    """A run with all that is known of it."""

    id: str
    info: Mapping[str, Any]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class MlflowClient:
    """Reads over the REST API with `requests` alone, so that it shares no code with the notifier."""

    def __init__(self, url: str) -> None:
        self.url = url

    def runs(self, experiment: str) -> list[KeptRun]:
        """The experiment's runs, oldest first; none if there is no such experiment."""
        found = self._get("experiments/get-by-name", experiment_name=experiment)
        if "experiment" not in found:
            return []
        wanted = {"experiment_ids": [found["experiment"]["experiment_id"]]}
        answer = requests.post(f"{self.url}/api/2.0/mlflow/runs/search", json=wanted, timeout=30)
        runs = answer.json().get("runs", [])
        return [_run(run) for run in sorted(runs, key=lambda run: int(run["info"]["start_time"]))]

    def history(self, run: KeptRun, metric: str) -> list[float]:
        """All values of one metric of a run."""
        found = self._get("metrics/get-history", run_id=run.id, metric_key=metric)
        return [metric["value"] for metric in found.get("metrics", [])]

    def artifact(self, run: KeptRun, path: str) -> bytes:
        """The content of a run's file."""
        root = run.info["artifact_uri"].partition(":/")[2].strip("/")
        url = f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{root}/{path}"
        answer = requests.get(url, timeout=30)
        answer.raise_for_status()
        return answer.content

    def artifacts(self, run: KeptRun, folder: str = "") -> list[str]:
        """Names of a run's files and folders."""
        found = self._get("artifacts/list", run_id=run.id, path=folder)
        return [file["path"] for file in found.get("files", [])]

    def versions(self, model: str) -> dict[str, dict[str, Any]]:
        """The registered model's versions by number, with their tags as a mapping."""
        found = self._get("model-versions/search", filter=f"name='{model}'")
        versions = found.get("model_versions", [])
        return {
            version["version"]: {
                **version,
                "tags": {tag["key"]: tag["value"] for tag in version.get("tags", [])},
            }
            for version in versions
        }

    def aliases(self, model: str) -> dict[str, str]:
        """The model that each alias names."""
        found = self._get("registered-models/get", name=model).get("registered_model", {})
        versions = self.versions(model)
        return {
            alias["alias"]: versions[alias["version"]]["tags"]["retrainer.model"]
            for alias in found.get("aliases", [])
        }

    def _get(self, route: str, **params: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/2.0/mlflow/{route}", params=params, timeout=30)
        document: dict[str, Any] = answer.json()
        return document


def _run(document: dict[str, Any]) -> KeptRun:
    data = document["data"]
    return KeptRun(
        id=document["info"]["run_id"],
        info=document["info"],
        params={item["key"]: item["value"] for item in data.get("params", [])},
        metrics={item["key"]: item["value"] for item in data.get("metrics", [])},
        tags={item["key"]: item["value"] for item in data.get("tags", [])},
    )
