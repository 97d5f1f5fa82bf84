"""What `retrainer compare` needs: Rasa and a policy, with or without a config file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from retrainer.adapters import stored_predictions
from retrainer.adapters.temporary import TemporaryFolder
from retrainer.domain.policies import POLICIES
from retrainer.domain.predictions import Prediction
from retrainer.domain.verdict import Policy
from retrainer.errors import ConfigurationError, ProjectError, RasaError
from retrainer.pipeline.comparing import Answerer, Comparison, compare_models, unseen_by_training
from retrainer.ports import ProgressListener
from retrainer.settings import Settings, TrainingSettings, anchored, load_if_there, policy_of
from retrainer.wiring.rasa_interpreter import RasaInterpreter

if TYPE_CHECKING:
    from retrainer.adapters.rasa_client import RasaClient

_Read = TypeVar("_Read")


def policy_named(config: Path, settings: Settings, name: str) -> Policy:
    """The policy of this name, of the config or a shipped one.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        return policy_of(settings, name, where=config)
    except KeyError:
        known = ", ".join(dict.fromkeys([*POLICIES, *settings.policies]))
        raise ConfigurationError(f"unknown policy {name!r}; known are {known}") from None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What to compare on what; paths as given.

    A model is an archive or a file of predictions. `seen` is what the models were trained on,
    `project` where components of their own are.
    """

    champion: Path
    challenger: Path
    data: tuple[Path, ...]
    seen: tuple[Path, ...] = ()
    must_pass: tuple[Path, ...] = ()
    project: Path | None = None
    leave_out_seen: bool = False


def compare_inputs(
    inputs: Inputs,
    *,
    config: Path | None,
    policy: str,
    progress: ProgressListener,
    save: Path | None = None,
) -> Comparison:
    """Read, ask both models, decide; `save` is a file for the challenger's answers.

    Raises:
        RetrainerError: as `standalone`, `answerer`, `unseen_by_training` and `compare_models`.
    """
    _require_usable(inputs, save)
    with standalone(config, policy) as (rasa, chosen):
        champion, challenger = (
            answerer(model, rasa, progress, inputs.project)
            for model in (inputs.champion, inputs.challenger)
        )
        test_set = unseen_by_training(
            rasa.read_examples(_absolute(inputs.data)),
            _some("--training-data", inputs.seen, rasa.read_examples),
            leave_out=inputs.leave_out_seen,
        )
        must_pass = _some("--must-pass", inputs.must_pass, rasa.read_must_pass)
        answers: dict[str, Prediction] = {}

        def ask_and_keep(texts: Sequence[str]) -> Mapping[str, Prediction]:
            answers.update(challenger.ask(texts))
            return answers

        found = compare_models(
            champion,
            replace(challenger, ask=ask_and_keep),
            test_set,
            chosen,
            must_pass=must_pass,
            training_known=bool(inputs.seen),
        )
    if save is not None:
        stored_predictions.write(save, answers)
    return found


def _require_usable(inputs: Inputs, save: Path | None) -> None:
    """Find before Rasa starts what can be found then."""
    models = (inputs.champion, inputs.challenger)
    for model in models:
        if not model.exists() or (model.is_dir() and not stored_predictions.is_stored(model)):
            problem = "is a folder of something else" if model.exists() else "is not there"
            raise ProjectError(
                f"{model} {problem}: a model archive (.tar.gz), a .json of predictions or a folder "
                "of `rasa test nlu --successes` is needed"
            )
    for path in (*inputs.data, *inputs.seen, *inputs.must_pass):
        if not path.exists():
            raise ProjectError(f"{path} is not there, a file or folder of NLU data is needed")
    if inputs.project is not None and not inputs.project.is_dir():
        raise ProjectError(
            f"--project: {inputs.project} is no folder, one that holds the components is needed"
        )
    if save is not None and (save.suffix != ".json" or save.is_dir()):
        raise ProjectError(f"--save-predictions: a file that ends in .json is needed, not {save}")
    if save is not None and save.resolve() in {path.resolve() for path in (*models, *inputs.data)}:
        raise ProjectError(f"--save-predictions: {save} is read, and would be overwritten")


def _some(
    option: str, paths: Sequence[Path], read: Callable[[Sequence[Path]], Sequence[_Read]]
) -> Sequence[_Read]:
    """What the files of an option hold; nothing in them is an error, no files are none."""
    found = read(_absolute(paths)) if paths else ()
    if paths and not found:
        named = ", ".join(map(str, paths))
        raise ProjectError(f"{option}: 0 utterances are in {named}, at least 1 is needed")
    return found


def _absolute(paths: Sequence[Path]) -> list[Path]:
    return [path.absolute() for path in paths]


@contextmanager
def standalone(config: Path | None, policy: str) -> "Iterator[tuple[RasaClient, Policy]]":
    """Rasa and the policy of this name, without a database; a config file is used if there is one.

    Raises:
        ConfigurationError: the config file is not usable, or there is no such policy.
        RasaEnvironmentError: Rasa's environment is not usable.
    """
    path, settings = load_if_there(config)
    chosen = policy_named(path, settings, policy)
    interpreter = RasaInterpreter(path, settings.rasa, anchored(path, settings.state_dir).resolve())
    with TemporaryFolder("compare") as folder:
        log = folder / "rasa.log"
        table = "assistants.NAME.training"
        with interpreter.client(folder, log=log, training=TrainingSettings(), table=table) as rasa:
            yield rasa, chosen


def answerer(
    model: Path, rasa: "RasaClient", progress: ProgressListener, code: Path | None
) -> Answerer:
    """The model of an archive, or the answers that are in a file of predictions.

    Raises:
        ProjectError: it is no file of predictions.
    """
    if stored_predictions.is_stored(model):
        stored = stored_predictions.read(model)
        return Answerer(
            str(model),
            lambda _: stored.answers,
            entities=stored.entities,
            responses=stored.responses,
        )

    def ask(texts: Sequence[str]) -> Mapping[str, Prediction]:
        try:
            predicted = rasa.predict(model, texts, progress, code=code)
        except RasaError as error:  # of two models: which one
            raise type(error)(f"{model}: {error.message}", tip=error.tip) from error
        return {prediction.text: prediction for prediction in predicted}

    return Answerer(str(model), ask)
