"""The configuration file as a typed model; every option, its default and its meaning."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from retrainer.settings.schedule import ScheduleSettings
from retrainer.settings.training import TrainingSettings
from retrainer.settings.values import Duration, Name, ProjectPath, Section, ServerAddress, Size


class PluginSettings(BaseModel):
    """A plugin by its `type`; all other keys are its own options.

    What is secret among those only the plugin knows, so none of their values is ever shown.
    """

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    type: str
    """Which plugin: a name of the entry-point group."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys that are the plugin's own."""
        return dict(self.model_extra or {})

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """What `repr` and `str` show: the names of the plugin's options, not their values."""
        hidden = self.model_extra or {}
        for key, value in super().__repr_args__():
            yield key, ("**********" if key in hidden else value)


class NotifierSettings(PluginSettings):
    """Somebody to tell."""

    on: tuple[str, ...] = ("promoted", "held", "rejected", "failed", "abandoned")
    """Which ends of a cycle to tell of; also known: "skipped", "dry_run"."""

    assistants: tuple[Name, ...] | None = None
    """Which assistants to tell of; empty: all."""


class RasaSettings(Section):
    """Where Rasa runs. It has a Python environment of its own."""

    python: Path | None = None
    """An existing interpreter that has Rasa 3.5 or 3.6; empty: the environment below."""

    environment: Path | None = None
    """Folder of the environment that `retrainer rasa setup` makes; empty: STATE_DIR/rasa."""

    start_limit: Duration = timedelta(minutes=5)
    """Time that Rasa may take to start (it imports TensorFlow)."""

    read_limit: Duration = timedelta(minutes=10)
    """Time that reading, validating or splitting a project may take."""

    predict_limit: Duration = timedelta(hours=1)
    """Time that evaluating one model may take."""

    nice: int = Field(default=10, ge=0, le=19)
    """How far Rasa steps back when others want to compute: 0 (not at all) to 19 (as far as can be)."""

    io_class: Literal["idle", "best-effort", "none"] = "best-effort"
    """How Rasa uses the disk: after all others, or only when nobody else does; "none": as anybody."""

    memory_limit: Size | None = Field(default=None, ge=500 * 1000**2)
    """Memory that Rasa may have, such as "8GB"; then it is killed and the cycle fails. Empty: all."""


class EvaluationSettings(Section):
    """What models are measured on."""

    mode: Literal["holdout", "cross_validation"] = "holdout"
    """Whether to compare the models on a holdout, or what they are made of, on every example."""

    folds: int = Field(default=5, ge=2, le=20)
    """Parts of the data in a cross-validation, for each of which both are trained once more."""

    holdout: float = Field(default=0.2, ge=0.0, le=0.9)
    """Share of the examples kept out of every training, chosen by a stable hash of their text."""

    minimum_examples: int = Field(default=5, ge=2)
    """An intent with fewer different examples stays whole in training and is listed."""

    test_data: tuple[ProjectPath, ...] = ()
    """NLU files or folders to measure on as well; with `holdout = 0` instead of a holdout."""

    action_server: ServerAddress = ""
    """Address of the action server, which the rule `actions` asks what it runs; empty: not asked."""

    stories: tuple[ProjectPath, ...] = ()
    """Files `test_*.yml` of test stories, or folders of them, for Rasa's own end-to-end test."""


class ValidationSettings(Section):
    """What `rasa data validate` finds."""

    fail_on_warnings: bool = False
    """Whether a warning stops the cycle, as an error always does."""

    maximum_loss: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of the examples that may have gone since the champion was trained; more stops the cycle."""


class RetentionSettings(Section):
    """Which models are kept. The champion and its predecessor always are."""

    models: int = Field(default=10, ge=2)
    """How many of the newest models are kept."""

    age: Duration = timedelta(days=90)
    """Models older than this are deleted, even if there are fewer."""


class AssistantSettings(Section):
    """One Rasa project that is kept fresh."""

    source: PluginSettings | None = None
    """Where the project comes from: `type = "directory"`, `path = "..."`."""

    sources: dict[Name, PluginSettings] = Field(default_factory=dict)
    """Instead of `source`: several, each with a name, that the project is put together from."""

    config: ProjectPath = "config.yml"
    """Rasa's config file in the project."""

    domain: tuple[ProjectPath, ...] = ("domain.yml", "domain")
    """Domain files and folders in the project; those that exist are used."""

    data: tuple[ProjectPath, ...] = ("data",)
    """Training data files and folders in the project; those that exist are used."""

    must_pass: tuple[ProjectPath, ...] = ()
    """NLU files in the project with utterances that every promoted model must understand."""

    policy: str = "default"
    """Which policy decides: one that is built in, such as `default`, or one of [policies.NAME]."""

    evaluation: EvaluationSettings = EvaluationSettings()
    """What models are measured on."""

    validation: ValidationSettings = ValidationSettings()
    """What `rasa data validate` finds."""

    training: TrainingSettings = TrainingSettings()
    """How challengers are trained."""

    platform: PluginSettings = PluginSettings(type="embedded")
    """Where models are stored and made active."""

    retention: RetentionSettings = RetentionSettings()
    """Which models are kept."""

    schedule: ScheduleSettings = ScheduleSettings()
    """When its cycles begin by themselves."""

    @model_validator(mode="after")
    def _one_way_to_the_data(self) -> Self:
        if (self.source is None) == (not self.sources):
            raise ValueError("set `source`, or else `sources` with a name for each")
        return self

    @model_validator(mode="after")
    def _one_use_of_each_example(self) -> Self:
        wanted = self.training.challengers
        if wanted > 1 and self.evaluation.mode == "cross_validation":
            raise ValueError(
                f"training.configs, training.seeds and training.finetune ask for {wanted} "
                'challengers, evaluation.mode = "cross_validation" takes 1: it leaves no examples '
                'to choose by. Set evaluation.mode = "holdout", or leave those of training out'
            )
        return self


class DaemonSettings(Section):
    """`retrainer run`, the scheduler that keeps running."""

    cycles_at_once: int = Field(default=1, ge=1)
    """How many cycles, and so trainings, this machine runs at a time."""

    lease: Duration = timedelta(seconds=60)
    """How long a cycle stays with a daemon that gives no sign of life; then another takes it over."""

    stop_limit: Duration = timedelta(seconds=60)
    """Time that stopping may take. A cycle that is cut off goes on at the next start."""

    log_format: Literal["auto", "human", "json"] = "auto"
    """How to log: for people, or JSON for programs; "auto": for people on a terminal."""

    keep_history: Duration = timedelta(days=730)
    """Cycles older than this are deleted from the database, unless they changed the champion."""

    @field_validator("lease")
    @classmethod
    def _long_enough(cls, lease: timedelta) -> timedelta:
        if lease < timedelta(seconds=1):
            raise ValueError(
                f"{lease.total_seconds():g}s is too short for a lease, 1s is the least"
            )
        return lease


class TokenSettings(Section):
    """Somebody who may use the HTTP side."""

    token: SecretStr = Field(min_length=16)
    """What has to be sent as `Authorization: Bearer ...`; at least 16 characters."""

    scopes: tuple[Literal["read", "trigger", "approve"], ...] = ("read",)
    """What it is good for."""


class HttpSettings(Section):
    """Where `retrainer run` and `retrainer serve-models` listen, and who may ask what."""

    enabled: bool = False
    """Whether `retrainer run` listens: health, metrics, history, triggers and models."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen at. One that other machines reach needs a token."""

    port: int = Field(default=5010, ge=0, le=65535)
    """Port to listen at; 0: a free one."""

    token: SecretStr | None = Field(default=None, min_length=1)
    """What Rasa servers have to send; empty: nothing, on this machine alone."""

    tokens: dict[Name, TokenSettings] = Field(default_factory=dict)
    """Who else may ask for something, each with a name; none: everybody on this machine may read."""

    hook_secret: SecretStr | None = Field(default=None, min_length=16)
    """What git servers sign their hooks with; empty: no hooks are taken."""

    rasa_x_assistant: Name | None = None
    """Whose models Rasa X's own addresses lead to; empty: the only assistant's, if there is one."""

    stop_limit: Duration = timedelta(seconds=20)
    """Time that running downloads get when the server is stopped."""


class Settings(BaseSettings):
    """Everything; each option may also be set as RETRAINER_SECTION__OPTION in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="RETRAINER_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    state_dir: Path = Path(".retrainer")
    """Folder of everything that retrainer keeps; relative to the config file."""

    database: SecretStr | None = None
    """Database URL, such as postgresql+psycopg://user@host/name; empty: SQLite in state_dir."""

    records: str | None = None
    """URL of the records of models, which several machines may share; empty: in state_dir."""

    rasa: RasaSettings = RasaSettings()
    """Where Rasa runs."""

    daemon: DaemonSettings = DaemonSettings()
    """The scheduler that keeps running."""

    http: HttpSettings = HttpSettings()
    """The HTTP side of the daemon, and serving models to Rasa servers."""

    policies: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Named policies of named rules; `extends` names the policy whose rules come first."""

    notifiers: dict[Name, NotifierSettings] = Field(default_factory=dict)
    """Who is told how a cycle ended."""

    assistants: dict[Name, AssistantSettings] = Field(default_factory=dict)
    """The assistants that are kept fresh."""
