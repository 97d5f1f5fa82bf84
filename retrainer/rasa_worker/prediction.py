"""A model's answers, many at a time, equal to what `rasa test nlu` counts."""

import shutil
import tempfile
import time
from collections import OrderedDict
from pathlib import Path

from . import components, networks
from .faults import ARCHIVE, Fault, root_cause

#: Models kept loaded: challenger and champion.
_KEPT = 2
#: Utterances between two progress events.
_CHUNK = 256
#: Utterances that a model is asked before it is timed.
_WARM = 3
_loaded = OrderedDict()


def predict(archive, texts, code, out):
    """Send the answers in parts, in order; returns how many.

    `code` is the folder of the project whose own components the model may need, or None.
    """
    model = _model(archive, code)
    done = 0
    while done < len(texts):
        chunk = texts[done : done + model.chunk]
        out.send("part", items=[answer(parsed) for parsed in model.parse(chunk)])
        done += len(chunk)
        if done % _CHUNK < model.chunk or done == len(texts):
            out.progress("predicting", done, len(texts), "utterances")
    return done


def time_parses(models, texts, limit):
    """Seconds that each of the models, pairs of archive and code, takes for each text.

    In turns, so that a machine which is busy for a while is so for all of them. After `limit`
    seconds no further text is tried.
    """
    timed = [(_model(archive, code), []) for archive, code in models]
    for model, _ in timed:
        for text in texts[:_WARM]:
            model.parse([text])
    end = time.perf_counter() + limit
    for text in texts:
        for model, seconds in timed:
            start = time.perf_counter()
            model.parse([text])
            seconds.append(time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    return [seconds for _, seconds in timed]


def _model(archive, code):
    """The loaded model of an archive; a replaced file is another model."""
    status = archive.stat()
    key = (str(archive), status.st_mtime_ns, status.st_size, code)
    if key not in _loaded:
        while len(_loaded) >= _KEPT:
            _loaded.popitem(last=False)
        _loaded[key] = Model(archive, code)
    _loaded.move_to_end(key)
    return _loaded[key]


def forget():
    """Let go of the models that are loaded."""
    _loaded.clear()


class Model:
    """The NLU half of a model, loaded: dialogue policies are not needed to understand."""

    def __init__(self, archive, code):
        networks.configure()
        from rasa.engine.graph import ExecutionContext
        from rasa.engine.runner.dask import DaskGraphRunner
        from rasa.engine.storage.local_model_storage import LocalModelStorage

        networks.install()
        components.use(code)
        folder = tempfile.mkdtemp(prefix="retrainer-model-")
        try:
            storage, metadata = LocalModelStorage.from_model_archive(Path(folder), archive)
            self._target = metadata.nlu_target
            if not self._target:
                raise Fault("{} holds no NLU model".format(archive.name), ARCHIVE)
            schema = metadata.predict_schema.minimal_graph_schema([self._target])
            with networks.built_eagerly():
                self._runner = DaskGraphRunner.create(
                    graph_schema=schema,
                    model_storage=storage,
                    execution_context=ExecutionContext(
                        graph_schema=metadata.predict_schema, model_id=metadata.model_id
                    ),
                )
        except (OSError, KeyError, ValueError, EOFError) as error:
            cause = root_cause(error)
            raise Fault("{} cannot be loaded: {}".format(archive.name, cause), ARCHIVE) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        #: Components of other origin may not expect more than one message at a time.
        foreign = [n for n in schema.nodes.values() if not n.uses.__module__.startswith("rasa.")]
        self.chunk = 1 if foreign else _CHUNK

    def parse(self, texts):
        """Rasa's own answer to each text: what `MessageProcessor.parse_message` returns."""
        from rasa.core.channels.channel import UserMessage
        from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER
        from rasa.shared.core.trackers import DialogueStateTracker

        messages = [UserMessage(text) for text in texts]
        tracker = DialogueStateTracker.from_events(messages[0].sender_id, [])
        answers = self._runner.run(
            inputs={PLACEHOLDER_MESSAGE: messages, PLACEHOLDER_TRACKER: tracker},
            targets=[self._target],
        )[self._target]
        if len(answers) != len(texts):
            raise Fault("{} answers to {} utterances".format(len(answers), len(texts)))
        nothing = {"text": "", "intent": {"name": None, "confidence": 0.0}, "entities": []}
        return [dict(nothing, **a.as_dict(only_output_properties=True)) for a in answers]


def answer(parsed):
    """A prediction in the service's terms; fallback and extractors treated as `rasa test nlu` does."""
    from rasa.nlu.classifiers import fallback_classifier
    from rasa.shared.nlu.constants import PRETRAINED_EXTRACTORS

    from .examples import entity_as_json

    served, undone = parsed.get("intent") or {}, parsed
    if fallback_classifier.is_fallback_classifier_prediction(parsed):
        undone = fallback_classifier.undo_fallback_prediction(parsed)
    intent = undone.get("intent") or {}
    return {
        "intent": intent.get("name"),
        "confidence": float(intent.get("confidence") or 0.0),
        "served_intent": served.get("name"),
        "served_confidence": float(served.get("confidence") or 0.0),
        "entities": [
            entity_as_json(entity)
            for entity in parsed.get("entities") or []
            if entity.get("extractor") not in PRETRAINED_EXTRACTORS
        ],
        "response": _response(undone, intent.get("name")),
        "ranking": [
            [entry.get("name"), float(entry.get("confidence") or 0.0)]
            for entry in undone.get("intent_ranking") or []
        ],
    }


def _response(parsed, intent):
    """The retrieval intent chosen by the selector that is responsible for the intent."""
    selectors = parsed.get("response_selector") or {}
    responsible = intent in selectors.get("all_retrieval_intents", ()) and intent in selectors
    chosen = selectors.get(intent if responsible else "default") or {}
    return (chosen.get("response") or {}).get("intent_response_key")
