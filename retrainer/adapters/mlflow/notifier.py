"""Keeps cycles as runs of an MLflow experiment, and models as versions of a registered model."""

import re
from base64 import b64encode
from datetime import UTC
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from retrainer.adapters.files import sha256
from retrainer.adapters.http.client import Http
from retrainer.adapters.mlflow import content
from retrainer.adapters.mlflow.server import Authorization, MlflowServer, Run
from retrainer.errors import ModelNotFound, NotificationError, RetrainerError
from retrainer.ports import CycleReport, Fetch, Renderer

_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_ASSISTANT = "{assistant}"


def _template(text: str) -> str:
    if not re.fullmatch(r"[^{}'\"/:%`\\]+", text.replace(_ASSISTANT, "x")):
        raise ValueError(f"it must be a name without / : % and quotes; {_ASSISTANT} is filled in")
    return text


_Template = Annotated[str, AfterValidator(_template)]


class MlflowNotifier:
    """A `Notifier` for one MLflow tracking server; a cycle is one run, however often it is told.

    The aliases `challenger` and `champion` of the registered model follow the newest cycle: the
    model that it trained, and the model that it left serving. A promotion by a person is seen in
    the next cycle.
    """

    class Options(BaseModel):
        """Options of `type = "mlflow"`."""

        model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

        tracking_uri: str
        """Address of the tracking server; http:// or https://."""

        username: str | None = None
        """User of the server, with `password`."""

        password: SecretStr | None = None
        """Password of that user."""

        token: SecretStr | None = None
        """Or else a bearer token."""

        ca_file: Path | None = None
        """File of the certificate authorities to trust, from the config file's folder."""

        experiment: _Template = _ASSISTANT
        """Name of the experiment; it is made if there is none."""

        log_report: bool = True
        """Whether the report is stored with the run, as text and as JSON."""

        log_model: bool = True
        """Whether each challenger is stored, as a version of the registered model."""

        model: _Template = _ASSISTANT
        """Name of the registered model; it is made if there is none."""

        timeout: float = Field(default=30.0, gt=0, le=3600, allow_inf_nan=False)
        """Seconds that all calls of one notification may take together."""

        transfer_timeout: float = Field(default=600.0, gt=0, le=86400, allow_inf_nan=False)
        """Seconds that storing one model may take."""

        @field_validator("tracking_uri")
        @classmethod
        def _usable(cls, uri: str) -> str:
            if not _URL.fullmatch(uri):
                raise ValueError("it must be like https://HOST, without user, password, ? and #")
            return uri

        @model_validator(mode="after")
        def _one_who_asks(self) -> Self:
            if (self.username is None) != (self.password is None):
                raise ValueError("username and password go together")
            if self.username is not None and self.token is not None:
                raise ValueError("set username and password, or else token")
            return self

    @classmethod
    def from_options(
        cls, options: Options, *, folder: Path, render: Renderer, fetch: Fetch
    ) -> Self:
        """The notifier that the options describe; relative paths start at `folder`.

        Raises:
            ConfigurationError: `ca_file` cannot be used.
        """
        return cls(options, folder, render, fetch)

    def __init__(self, options: Options, folder: Path, render: Renderer, fetch: Fetch) -> None:
        self._options, self._render, self._fetch = options, render, fetch
        self._ca_file = options.ca_file and folder / options.ca_file
        self._connection().close()

    def notify(self, report: CycleReport) -> None:
        """Record the cycle as a run; called again it completes the same run.

        Raises:
            NotificationError: something is missing still; no secret is in the message.
        """
        options = self._options
        server = MlflowServer(
            self._connection(), timeout=options.timeout, transfer_timeout=options.transfer_timeout
        )
        try:
            with server:
                self._record(server, report)
        except NotificationError:
            raise
        except RetrainerError as error:
            raise NotificationError(f"for MLflow: {error}", tip=error.tip) from None

    def _record(self, server: MlflowServer, report: CycleReport) -> None:
        cycle, message = report.cycle, self._render(report)
        tags = content.tags(report, message.summary)
        run = server.run(
            server.experiment(self._named(self._options.experiment, report)),
            cycle.challenger,
            tags,
            content.milliseconds(cycle.started_at),
            content.CYCLE,
        )
        if run.status != "RUNNING":  # ended last of all, so all of it is there
            return
        at = content.milliseconds(report.ended_at or cycle.started_at)
        server.log(
            run,
            params=content.parameters(report),
            metrics=content.metrics(report),
            tags=tags,
            at=at,
        )
        if self._options.log_report:
            server.write(run, "report.txt", message.text.encode(errors="backslashreplace"))
            server.write(run, "cycle.json", content.as_json(report))
        if self._options.log_model and not cycle.dry_run:
            self._record_model(server, run, report)
        if report.ended_at is not None:
            server.end(run, content.RUN_STATUS[cycle.status], at)

    def _record_model(self, server: MlflowServer, run: Run, report: CycleReport) -> None:
        """Make a version of the challenger, and let the aliases follow the newest cycle."""
        name = self._named(self._options.model, report)
        challenger = self._version(server, run, report, name)
        as_of = report.cycle.started_at.astimezone(UTC).isoformat()
        known = server.tag_of_model(name, content.AS_OF)
        if known is None or known > as_of:  # no model; or this is the news of yesterday
            return
        if challenger is not None:
            server.point(name, "challenger", challenger)
        serving = content.serving(report.state)
        if serving is not None:  # one that MLflow does not have is named by no alias
            server.point(name, "champion", server.version(name, content.MODEL, serving))
        server.tag_model(name, content.AS_OF, as_of)

    def _version(
        self, server: MlflowServer, run: Run, report: CycleReport, name: str
    ) -> str | None:
        """The challenger's version of the registered model; None if it has not been kept."""
        model, verdict = report.state.model, report.state.verdict
        if model is None or not report.state.uploaded:
            return None
        known = server.version(name, content.MODEL, model.name)
        if known is not None:
            return known
        try:
            archive = self._fetch(report.cycle.assistant, model.name)
        except ModelNotFound:  # tidied up meanwhile
            return None
        server.upload(run, f"model/{model.name}.tar.gz", archive)
        tags = {
            content.MODEL: model.name,
            content.CYCLE: report.cycle.challenger,
            "retrainer.sha256": sha256(archive),
            "retrainer.rasa_version": model.rasa_version,
            "retrainer.verdict": verdict.outcome if verdict else "none",
        }
        return server.register(name, run, "model", tags)

    def _connection(self) -> Http:
        options = self._options
        secrets, header = [], None
        if options.token is not None:
            header = f"Bearer {options.token.get_secret_value()}"
            secrets = [options.token.get_secret_value()]
        elif options.username is not None and options.password is not None:
            password = options.password.get_secret_value()
            pair = b64encode(f"{options.username}:{password}".encode()).decode()
            header, secrets = f"Basic {pair}", [password, pair]
        return Http(
            options.tracking_uri,
            auth=Authorization(header),
            secrets=secrets,
            verify=str(self._ca_file) if self._ca_file else True,
        )

    @staticmethod
    def _named(template: str, report: CycleReport) -> str:
        return template.replace(_ASSISTANT, report.cycle.assistant)
