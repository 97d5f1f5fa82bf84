"""An assistant's settings as the plain values that the pipeline takes."""

from pathlib import Path

from retrainer.domain.verdict import Policy
from retrainer.errors import ConfigurationError
from retrainer.pipeline.world import Assistant
from retrainer.ports import ActionServer, DataSource
from retrainer.settings import AssistantSettings


def assistant_of(
    name: str, settings: AssistantSettings, policy: Policy, rasa_version: str
) -> Assistant:
    """What is configured for the assistant."""
    return Assistant(
        name=name,
        policy=policy,
        must_pass=settings.must_pass,
        test_data=settings.evaluation.test_data,
        stories=settings.evaluation.stories,
        mode=settings.evaluation.mode,
        folds=settings.evaluation.folds,
        holdout=settings.evaluation.holdout,
        minimum_examples=settings.evaluation.minimum_examples,
        fail_on_warnings=settings.validation.fail_on_warnings,
        maximum_loss=settings.validation.maximum_loss,
        configs=settings.training.configs,
        seeds=settings.training.seeds,
        finetune=settings.training.finetune,
        inputs=f"rasa {rasa_version} config {settings.config} "
        f"domain {settings.domain} data {settings.data} "
        f"actions {settings.evaluation.action_server}",
        keep_models=settings.retention.models,
        keep_age=settings.retention.age,
    )


def action_server_of(settings: AssistantSettings) -> ActionServer | None:
    """Who runs the assistant's custom actions; None if that is not configured."""
    from retrainer.adapters.action_server import HttpActionServer

    url = settings.evaluation.action_server
    return HttpActionServer(url) if url else None


def require_countable(
    config: Path, name: str, settings: AssistantSettings, source: DataSource
) -> None:
    """Make sure that `minimum_new_examples` can be compared with something.

    Raises:
        ConfigurationError: it cannot.
    """
    least = settings.schedule.minimum_new_examples
    if least > 1 and not source.counts_examples:
        raise ConfigurationError(
            f"{config}: assistants.{name}.schedule.minimum_new_examples is {least}, "
            "but no source of this assistant counts its examples without pulling them",
            tip="leave it out: then each change of the data begins a cycle",
        )
