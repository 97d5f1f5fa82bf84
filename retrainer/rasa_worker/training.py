"""Training, as `rasa train` does it."""

import logging
import re
from contextlib import contextmanager, nullcontext

from . import components, networks, printed, seeds, training_cache
from .faults import Fault

_TRAINS = re.compile("Starting to train component '(.*)'")
#: Share of the config's epochs that a model is trained for which goes on from another.
_EPOCH_FRACTION = 0.2
_RESTORED = re.compile("Restored component '(.*)' from cache")


def train(project, name, into, out, *, seed=None, finetune=None):
    """Train a model of this name into an existing empty folder; returns the archive's path.

    `seed` replaces those of the config; `finetune` is the archive of a model to go on from.
    """
    networks.configure()
    from rasa.model_training import train as rasa_train

    components.use(project.root)
    project.require_own_files()
    if seed is not None:
        project = seeds.with_seed(project, seed, into)
    training_cache.sweep()
    with _progress(out), training_cache.disabled() if finetune else nullcontext():
        result = rasa_train(
            domain=project.domain_argument(),
            config=str(project.config),
            training_files=[str(path) for path in project.data],
            output=str(into),
            fixed_model_name=name,
            model_to_finetune=finetune,
            finetuning_epoch_fraction=_EPOCH_FRACTION,
        )
    if result.code != 0 or not result.model:
        raise Fault(
            printed.last_words() or "Rasa did not train a model (exit code {})".format(result.code)
        )
    return result.model


@contextmanager
def _progress(out):
    """Report which component trains, and its epochs."""
    from rasa.utils.tensorflow.callback import RasaTrainingLogger

    reporter = _Reporter(out)
    logger = logging.getLogger("rasa.engine.training.hooks")
    logger.addHandler(reporter)
    ended = RasaTrainingLogger.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        ended(self, epoch, logs)
        out.progress(reporter.component, epoch + 1, self.params.get("epochs"), "epochs")

    RasaTrainingLogger.on_epoch_end = on_epoch_end
    try:
        yield
    finally:
        RasaTrainingLogger.on_epoch_end = ended
        logger.removeHandler(reporter)


class _Reporter(logging.Handler):
    """Turns the lines of Rasa's training log into progress."""

    def __init__(self, out):
        super().__init__(logging.INFO)
        self._out = out
        self.component = "training"

    def emit(self, record):
        message = record.getMessage()
        trains, restored = _TRAINS.match(message), _RESTORED.match(message)
        if trains:
            self.component = trains.group(1)
            self._out.progress(self.component)
        elif restored:
            self._out.progress(restored.group(1) + " (from cache)")
