"""What retrainer asks of an MLflow tracking server, over its REST API 2.0.

The API is small and has been stable for years. The `mlflow` package would bring a hundred megabytes
of libraries, seconds of imports, and credentials by environment variables of the whole process.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase

from retrainer.adapters.files import storage_errors
from retrainer.adapters.http.answer import Answer, refused
from retrainer.adapters.http.client import Http
from retrainer.errors import NotificationError, ServerError

_API, _ARTIFACTS = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
_MISSING, _EXISTS = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"
_OK = 200
_TIPS = {
    401: "check `username` and `password`, or `token`",
    403: "give this user the right to edit the experiment and the registered model",
    404: "check `tracking_uri`: it is the address of the server, without /api and /#/experiments",
    413: "let the proxy before the server take larger files, or set `log_model = false`",
}


@dataclass(frozen=True)
class Run:
    """A run of the server; `status` is RUNNING until it has ended."""

    id: str
    status: str
    artifacts: str


class Authorization(AuthBase):
    """Sends this header, or none."""

    def __init__(self, header: str | None) -> None:
        self._header = header

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request."""
        if self._header:
            request.headers["Authorization"] = self._header
        return request


class MlflowServer:
    """A server for one notification: all calls together end within `timeout` seconds.

    `transfer_timeout` is for each file that is sent, and comes on top. What can be created is
    looked for first, so that everything may be asked for again.

    Raises:
        NotificationError: every method, when the server did not do what it was asked for.
    """

    def __init__(self, http: Http, *, timeout: float, transfer_timeout: float) -> None:
        self._http, self._transfer_timeout = http, transfer_timeout
        self._end = time.monotonic() + timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def experiment(self, name: str) -> str:
        """The identifier of the experiment; it is made if there is none."""
        asked = {"experiment_name": name}
        answer = self._call("GET", "/experiments/get-by-name", asked, accept=_MISSING)
        if answer.status != _OK:
            return _text(self._call("POST", "/experiments/create", {"name": name}), "experiment_id")
        if _text(answer, "experiment", "lifecycle_stage") == "deleted":
            raise NotificationError(
                f"the experiment {name} is deleted on {self._http.where('', '').strip()}",
                tip="restore it with `mlflow experiments restore`, or set another `experiment`",
            )
        return _text(answer, "experiment", "experiment_id")

    def run(self, experiment: str, name: str, tags: Mapping[str, str], start: int, key: str) -> Run:
        """The run with this value of the tag `key`; it is made if there is none.

        `start` is in milliseconds since 1970.
        """
        wanted = {
            "experiment_ids": [experiment],
            "filter": f"tags.`{key}` = '{tags[key]}'",
            "max_results": 1,
        }
        found = self._call("POST", "/runs/search", wanted, repeat=True).json()
        runs = found.get("runs") if isinstance(found, Mapping) else None
        if runs:
            return _run(runs[0], "/runs/search")
        body = {
            "experiment_id": experiment,
            "run_name": name,
            "start_time": start,
            "tags": _pairs(tags),
        }
        answer = self._call("POST", "/runs/create", body)
        return _run(_part(answer, "run"), "/runs/create")

    def log(
        self,
        run: Run,
        *,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        at: int,
    ) -> None:
        """Parameters, metrics of the time `at` (milliseconds since 1970) and tags; again: nothing."""
        body = {
            "run_id": run.id,
            "params": _pairs(params),
            "metrics": [
                {"key": name, "value": value, "timestamp": at, "step": 0}
                for name, value in metrics.items()
            ],
            "tags": _pairs(tags),
        }
        self._call("POST", "/runs/log-batch", body, repeat=True)

    def end(self, run: Run, status: str, at: int) -> None:
        """End the run at this time, in milliseconds since 1970."""
        body = {"run_id": run.id, "status": status, "end_time": at}
        self._call("POST", "/runs/update", body, repeat=True)

    def write(self, run: Run, name: str, content: bytes) -> None:
        """Store a small file with the run; one of that name is replaced."""
        self._put(run, name, content, limit=self._left())

    def upload(self, run: Run, name: str, path: Path) -> None:
        """Store a file with the run, a piece at a time; one of that name is replaced."""
        begun = time.monotonic()
        with storage_errors("reading", path), path.open("rb") as file:
            self._put(run, name, file, limit=self._transfer_timeout)
        self._end += time.monotonic() - begun

    def version(self, model: str, key: str, value: str) -> str | None:
        """The number of the registered model's version with this tag; None if there is none."""
        wanted = {"filter": f"name='{model}' and tags.`{key}` = '{value}'", "max_results": 1}
        answer = self._call("GET", "/model-versions/search", wanted)
        document = answer.json()
        versions = document.get("model_versions") if isinstance(document, Mapping) else None
        return _text_in(versions[0], answer.where, "version") if versions else None

    def register(self, model: str, run: Run, folder: str, tags: Mapping[str, str]) -> str:
        """Make a version of the registered model of the run's files in `folder`; its number."""
        self._call("POST", "/registered-models/create", {"name": model}, accept=_EXISTS)
        body = {
            "name": model,
            "run_id": run.id,
            "source": f"{run.artifacts}/{folder}",
            "tags": _pairs(tags),
        }
        answer = self._call("POST", "/model-versions/create", body)
        return _text(answer, "model_version", "version")

    def tag_of_model(self, model: str, key: str) -> str | None:
        """A registered model's tag, empty if it has none of that name; None if there is no model."""
        answer = self._call("GET", "/registered-models/get", {"name": model}, accept=_MISSING)
        if answer.status != _OK:
            return None
        tags = _part(answer, "registered_model").get("tags", ())
        return next((str(tag["value"]) for tag in tags if tag.get("key") == key), "")

    def tag_model(self, model: str, key: str, value: str) -> None:
        """Set a registered model's tag."""
        body = {"name": model, "key": key, "value": value}
        self._call("POST", "/registered-models/set-tag", body, repeat=True)

    def point(self, model: str, alias: str, version: str | None) -> None:
        """Let the alias name this version of the registered model; None: nothing any more."""
        body = {"name": model, "alias": alias}
        if version is None:
            self._call("DELETE", "/registered-models/alias", body, repeat=True, accept=_MISSING)
        else:
            body["version"] = version
            self._call("POST", "/registered-models/alias", body, repeat=True)

    def _left(self) -> float:
        """Seconds until all has to be done."""
        return max(self._end - time.monotonic(), 0.01)

    def _put(self, run: Run, name: str, content: object, *, limit: float) -> None:
        path = f"{_ARTIFACTS}/{_served(run)}/{quote(name)}"
        try:
            answer = self._http.call("PUT", path, limit=limit, content=content)
        except ServerError as error:
            raise NotificationError(f"MLflow: {error}", tip=error.tip) from None
        _require(answer)

    def _call(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any],
        *,
        repeat: bool = False,
        accept: str | None = None,
    ) -> Answer:
        """The answer: a success, or the error that is accepted."""
        read = method == "GET"
        try:
            answer = self._http.call(
                method,
                _API + path,
                limit=self._left(),
                repeat=read or repeat,
                params=content if read else None,
                body=None if read else content,
            )
            if answer.status != _OK and accept and _error_code(answer) == accept:
                return answer
            _require(answer)
            answer.json()
        except ServerError as error:
            raise NotificationError(f"MLflow: {error}", tip=error.tip) from None
        return answer


def _require(answer: Answer) -> None:
    if answer.status != _OK:
        error = refused(answer, tip=_TIPS.get(answer.status))
        raise NotificationError(f"MLflow: {error}", tip=error.tip, retry_after=answer.retry_after)


def _error_code(answer: Answer) -> str | None:
    try:
        said = answer.json()
    except ServerError:
        return None
    return str(said.get("error_code")) if isinstance(said, Mapping) else None


def _served(run: Run) -> str:
    """Where the server takes files of the run."""
    root = urlsplit(run.artifacts)
    if root.scheme == "mlflow-artifacts":
        return root.path.strip("/")
    if root.scheme in {"http", "https"} and f"{_ARTIFACTS}/" in root.path:
        return root.path.partition(f"{_ARTIFACTS}/")[2].strip("/")
    raise NotificationError(
        f"MLflow: the experiment's files are kept at {root.scheme or 'file'}:, where its clients "
        "have to write themselves; only files that the server takes (mlflow-artifacts:) are sent",
        tip="start the server with --serve-artifacts and name a new experiment with `experiment`, "
        "or set log_report and log_model to false",
    )


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in values.items()]


def _run(document: object, where: str) -> Run:
    return Run(
        id=_text_in(document, where, "info", "run_id"),
        status=_text_in(document, where, "info", "status"),
        artifacts=_text_in(document, where, "info", "artifact_uri"),
    )


def _part(answer: Answer, name: str) -> Mapping[str, Any]:
    document = answer.json()
    part = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(part, Mapping):
        raise NotificationError(f"MLflow: {answer.where} answered without {name!r}")
    return part


def _text(answer: Answer, *names: str) -> str:
    return _text_in(answer.json(), answer.where, *names)


def _text_in(document: object, where: str, *names: str) -> str:
    for name in names:
        document = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(document, str) or not document:
        raise NotificationError(f"MLflow: {where} answered without {'.'.join(names)!r}")
    return document
