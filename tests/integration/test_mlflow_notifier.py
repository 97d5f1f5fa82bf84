"""Cycles in a real MLflow server, and in servers that fail."""

import json
import socket
import time
import traceback
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from support import cycle_reports
from support.http_server import Exchange, http_server, sends
from support.mlflow_client import MlflowClient

from retrainer.adapters.mlflow.notifier import MlflowNotifier
from retrainer.domain.cycle import Cycle
from retrainer.errors import ModelNotFound, NotificationError, ServerError
from retrainer.ports import CycleReport
from retrainer.reports.message import render

SECRET = "S3CRET"


class Archives:
    """Stored models, by name; `fetched` are those that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.fetched = folder, []

    def __call__(self, assistant: str, model: str) -> Path:
        self.fetched.append((assistant, model))
        path = self.folder / f"{model}.tar.gz"
        path.write_bytes(model.encode() * 1000)
        return path


@pytest.fixture
def archives(tmp_path):
    """A platform's models."""
    return Archives(tmp_path)


@pytest.fixture
def name():
    """An assistant of this test alone, so that all tests may share one server."""
    return f"bot-{uuid4().hex[:8]}"


def of(name: str, report: CycleReport, night: int = 0) -> CycleReport:
    """The report as one of this assistant, of a later night, with names of models that fit."""
    cycle: Cycle = replace(
        report.cycle,
        assistant=name,
        number=report.cycle.number + night,
        started_at=report.cycle.started_at + timedelta(days=night),
    )
    state, old = report.state, report.cycle.challenger
    if state.model:
        state = replace(state, model=replace(state.model, name=cycle.challenger))
    if state.promoted:
        known = {old: cycle.challenger}
        state = replace(state, promoted=(state.promoted[0], known[state.promoted[1]]))
    return replace(report, cycle=cycle, state=state, ended_at=cycle.started_at + timedelta(hours=1))


def notifier(url: str, fetch, **options) -> MlflowNotifier:
    """A notifier of the server, as wiring makes it."""
    given = MlflowNotifier.Options.model_validate({"tracking_uri": url, **options})
    return MlflowNotifier.from_options(given, folder=Path("/"), render=render, fetch=fetch)


def failure(url: str, fetch, report=None, **options) -> NotificationError:
    """The error that a notification ends with, after a look for secrets in all that it says."""
    with pytest.raises(NotificationError) as caught:
        notifier(url, fetch, **options).notify(report or cycle_reports.promoted())
    said = f"{''.join(traceback.format_exception(caught.value))} {caught.value.tip}"
    assert SECRET not in said
    return caught.value


def test_a_cycle_is_a_run(mlflow_url, archives, name):
    """Times, inputs, figures, verdict, report and model of a cycle are all to be found in MLflow."""
    report, client = of(name, cycle_reports.promoted()), MlflowClient(mlflow_url)
    notifier(mlflow_url, archives).notify(report)
    (run,) = client.runs(name)
    challenger = report.cycle.challenger
    assert (run.info["run_name"], run.info["status"]) == (challenger, "FINISHED")
    assert int(run.info["start_time"]) == report.cycle.started_at.timestamp() * 1000
    assert int(run.info["end_time"]) == report.ended_at.timestamp() * 1000
    assert run.params["snapshot"] == report.state.snapshot.digest
    assert run.metrics["challenger.f1_weighted"] == 0.8391
    assert run.metrics["champion.f1_weighted"] == 0.8123
    assert run.tags["retrainer.verdict"] == "promote"
    assert "PROMOTED" in run.tags["mlflow.note.content"]
    assert client.artifact(run, "report.txt").decode() == render(report).text
    document = json.loads(client.artifact(run, "cycle.json"))
    assert document["state"]["evaluation"]["challenger"]["intents"]["greet"]["f1"] == 0.84
    content = challenger.encode() * 1000
    assert client.artifact(run, f"model/{challenger}.tar.gz") == content
    assert archives.fetched == [(name, challenger)]
    (version,) = client.versions(name).values()
    assert (version["run_id"], version["status"]) == (run.id, "READY")
    assert version["source"] == f"{run.info['artifact_uri']}/model"
    assert version["tags"] == {
        "retrainer.model": challenger,
        "retrainer.cycle": challenger,
        "retrainer.sha256": sha256(content).hexdigest(),
        "retrainer.rasa_version": "3.6.21",
        "retrainer.verdict": "promote",
    }
    assert client.aliases(name) == {"challenger": challenger, "champion": challenger}


def test_the_same_cycle_again_doubles_nothing(mlflow_url, archives, name):
    """A notification may be delivered twice: it is one run, one version, one value a metric."""
    report, client = of(name, cycle_reports.promoted()), MlflowClient(mlflow_url)
    for _ in range(2):
        notifier(mlflow_url, archives).notify(report)
    (run,) = client.runs(name)
    assert len(client.versions(name)) == 1
    assert client.history(run, "challenger.f1_weighted") == [0.8391]
    assert len(archives.fetched) == 1


def test_a_delivery_that_was_cut_off_is_completed(mlflow_url, archives, name):
    """What a first try recorded is taken up by the next, wherever the first one ended."""
    report, client = of(name, cycle_reports.promoted()), MlflowClient(mlflow_url)

    def fails(assistant: str, model: str) -> Path:
        raise ServerError(f"{assistant} {model} did not come", tip="look")

    error = failure(mlflow_url, fails, report)
    assert "did not come" in str(error)
    assert error.tip == "look"
    (half,) = client.runs(name)
    assert (half.info["status"], client.versions(name)) == ("RUNNING", {})
    notifier(mlflow_url, archives).notify(report)
    (run,) = client.runs(name)
    assert (run.id, run.info["status"]) == (half.id, "FINISHED")
    assert client.history(run, "challenger.f1_weighted") == [0.8391]
    assert len(client.versions(name)) == 1


def test_a_rejected_challenger_leaves_the_champion(mlflow_url, archives, name):
    """The alias `champion` stays with what serves, `challenger` goes to the newest."""
    first, client = of(name, cycle_reports.promoted()), MlflowClient(mlflow_url)
    second = of(name, cycle_reports.rejected(), night=1)
    second = replace(second, state=replace(second.state, champion=first.cycle.challenger))
    told = notifier(mlflow_url, archives)
    told.notify(first)
    told.notify(second)
    assert client.aliases(name) == {
        "champion": first.cycle.challenger,
        "challenger": second.cycle.challenger,
    }
    assert [run.tags["retrainer.verdict"] for run in client.runs(name)] == ["promote", "reject"]
    assert [v["tags"]["retrainer.verdict"] for v in client.versions(name).values()] == [
        "reject",
        "promote",
    ]


def test_old_news_move_no_alias(mlflow_url, archives, name):
    """A notification that waited longer than a later one does not bring the old champion back."""
    old, client = of(name, cycle_reports.promoted()), MlflowClient(mlflow_url)
    new = of(name, cycle_reports.promoted(), night=1)
    told = notifier(mlflow_url, archives)
    told.notify(new)
    told.notify(old)
    assert len(client.versions(name)) == 2
    newest = new.cycle.challenger
    assert client.aliases(name) == {"champion": newest, "challenger": newest}


def test_a_champion_that_mlflow_does_not_have_is_not_named(mlflow_url, archives, name):
    """An alias that names another model than the one that serves would be a lie."""
    first, client = of(name, cycle_reports.promoted()), MlflowClient(mlflow_url)
    second = of(name, cycle_reports.rejected(), night=1)  # the champion is from elsewhere
    told = notifier(mlflow_url, archives)
    told.notify(first)
    told.notify(second)
    assert client.aliases(name) == {"challenger": second.cycle.challenger}


def test_a_model_that_is_gone_is_no_version(mlflow_url, name):
    """Late news of a model that retention deleted are recorded without it."""
    report, client = of(name, cycle_reports.rejected()), MlflowClient(mlflow_url)

    def gone(assistant: str, model: str) -> Path:
        raise ModelNotFound(f"{assistant} {model}")

    notifier(mlflow_url, gone).notify(report)
    (run,) = client.runs(name)
    assert run.info["status"] == "FINISHED"
    assert client.versions(name) == {}


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("failed", "FAILED"),
        ("abandoned", "KILLED"),
        ("skipped", "FINISHED"),
        ("dry_run", "FINISHED"),
    ],
)
def test_every_end_is_a_run_without_a_model(mlflow_url, archives, name, ending, status):
    """What stored no model on the platform stores none in MLflow."""
    report, client = of(name, cycle_reports.ENDINGS[ending]()), MlflowClient(mlflow_url)
    notifier(mlflow_url, archives).notify(report)
    (run,) = client.runs(name)
    assert run.info["status"] == status
    assert (client.versions(name), archives.fetched) == ({}, [])


def test_reports_and_models_may_stay_at_home(mlflow_url, archives, name):
    """Who wants the figures alone gets them alone, under names of one's own."""
    report, client = of(name, cycle_reports.promoted()), MlflowClient(mlflow_url)
    options = {"log_report": False, "log_model": False, "experiment": "chats of {assistant}"}
    notifier(mlflow_url, archives, **options).notify(report)
    (run,) = client.runs(f"chats of {name}")
    assert (client.artifacts(run), client.versions(name), archives.fetched) == ([], {}, [])


def test_a_deleted_experiment_is_named(mlflow_url, archives, name):
    """MLflow keeps the name of a deleted experiment; a person has to say what is meant."""
    url = f"{mlflow_url}/api/2.0/mlflow/experiments"
    made = requests.post(f"{url}/create", json={"name": name}, timeout=30).json()
    requests.post(f"{url}/delete", json=made, timeout=30).raise_for_status()
    error = failure(mlflow_url, archives, of(name, cycle_reports.promoted()))
    assert f"the experiment {name} is deleted" in str(error)
    assert "restore" in error.tip


def test_a_server_that_takes_no_files_says_so(archives):
    """Where clients have to write to the storage themselves, what to change is named."""
    answers = {
        "/api/2.0/mlflow/experiments/get-by-name": {
            "experiment": {"experiment_id": "1", "lifecycle_stage": "active"}
        },
        "/api/2.0/mlflow/runs/search": {
            "runs": [
                {"info": {"run_id": "1", "status": "RUNNING", "artifact_uri": "s3://bucket/1"}}
            ]
        },
    }

    def answering(exchange: Exchange) -> None:
        path = server.asked[-1].target.partition("?")[0]
        exchange.send(200, json.dumps(answers.get(path, {})).encode())

    with http_server(answering) as server:
        error = failure(server.url, archives)
    assert "kept at s3:" in str(error)
    assert "--serve-artifacts" in error.tip


# --- servers that fail -------------------------------------------------------------------------


def test_a_server_that_is_down(archives):
    """The outbox tries again later; the error says where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = failure(url, archives, timeout=0.3)
    assert "nobody listens there" in str(error)


def test_a_server_that_hangs_costs_the_time_limit(archives):
    """One notification must not hold up the others."""
    with http_server(Exchange.hang) as server:
        begun = time.monotonic()
        error = failure(server.url, archives, timeout=0.5)
    assert time.monotonic() - begun < 1.5
    assert "had no answer within" in str(error)


def test_a_slow_server_costs_the_time_limit_in_all(archives):
    """Each call is quick enough, all of them are not."""

    def slowly(exchange: Exchange) -> None:
        time.sleep(0.3)
        answer = {"experiment": {"experiment_id": "1", "lifecycle_stage": "active"}}
        run = {"run_id": "1", "status": "RUNNING", "artifact_uri": "mlflow-artifacts:/1"}
        exchange.send(200, json.dumps({**answer, "runs": [{"info": run}]}).encode())

    with http_server(slowly) as server:
        begun = time.monotonic()
        failure(server.url, archives, timeout=0.8, log_report=False, log_model=False)
    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize(
    "given", [{"username": "me", "password": SECRET}, {"token": SECRET}], ids=["basic", "token"]
)
@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials(archives, given, status):
    """A person learns what to change, and nobody the password."""
    said = f'{{"error_code": "X", "message": "no {SECRET}"}}'.encode()
    with http_server(sends(status, said)) as server:
        error = failure(server.url, archives, **given)
        (asked,) = server.asked
    assert asked.headers["Authorization"].split()[0] == (
        "Basic" if "username" in given else "Bearer"
    )
    assert f"answered {status}: no ***" in str(error)
    assert error.tip


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        (sends(200, b"<html>hello"), "with a web page, JSON is needed"),
        (sends(404, b"<html><title>404 Not Found</title>"), "a web page titled '404 Not Found'"),
        (sends(200, b"[]"), "without 'experiment.lifecycle_stage'"),
        (sends(200, b'{"experiment": {"lifecycle_stage": "active"}}'), "experiment_id"),
        (sends(500, b'{"error_code": "INTERNAL_ERROR", "message": "db"}'), "answered 500: db"),
        (
            sends(302, Location="http://sso.invalid/login"),
            "which redirects to http://sso.invalid: ",
        ),
    ],
)
def test_what_is_no_mlflow_is_an_error(archives, answering, said):
    """Whatever answers there: a clear error, never a bug of ours."""
    with http_server(answering) as server:
        assert said in str(failure(server.url, archives, timeout=2))


def test_the_wait_that_is_asked_for_is_told(archives):
    """The outbox learns for how long the server wants to be left alone."""
    with http_server(sends(429, b"slow down", Retry_After="90")) as server:
        assert failure(server.url, archives, timeout=2).retry_after == 90
