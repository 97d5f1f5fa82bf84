"""Rasa's networks (DIET, response selector), loaded and asked faster, to the same effect.

Rasa asks them message by message. Here the network's outputs are computed for a whole list
beforehand; everything that Rasa makes of an output stays Rasa's own code.
"""

import functools
from contextlib import contextmanager, suppress

#: Messages in one run of the network.
_SIZE = 64


def configure():
    """To be called before anything else imports TensorFlow.

    Heeds the user's settings for it (threads, GPU memory), as the `rasa` command does.
    """
    # Rasa's scikit-learn classifiers are stored with skops, which looks up the home of 800
    # functions in all loaded modules when it is imported: 4 s once TensorFlow is among them, half
    # a second before. Rasa 3.5 is without it.
    with suppress(ImportError):
        import skops.io  # noqa: F401 - for its side effect
    from rasa.utils.tensorflow.environment import setup_tf_environment

    setup_tf_environment()


@contextmanager
def built_eagerly():
    """Within, a loaded network is built without compiling the training of it.

    To learn the shapes of the weights, Rasa trains a new network on one example before it loads
    them. Compiling that step takes longer than everything else; running it once as it is does not.
    """
    from rasa.utils.tensorflow.models import RasaModel

    fit = RasaModel.fit

    def fit_eagerly(self, *args, **kwargs):
        eager, self.run_eagerly = self._run_eagerly, True
        try:
            return fit(self, *args, **kwargs)
        finally:
            self.run_eagerly = eager
            self.train_function = None

    RasaModel.fit = fit_eagerly
    try:
        yield
    finally:
        del RasaModel.fit  # Keras's own, inherited


def install():
    """Replace the methods; to be called before a model is loaded, since its graph binds them."""
    from rasa.nlu.classifiers.diet_classifier import DIETClassifier
    from rasa.nlu.selectors.response_selector import ResponseSelector

    if hasattr(DIETClassifier, "_outputs"):
        return
    predict_one = DIETClassifier._predict  # noqa: SLF001 - the seam between network and answer

    def predict(self, message):
        output = self._outputs.get(id(message))
        return predict_one(self, message) if output is None else output

    DIETClassifier._outputs = {}  # noqa: SLF001
    DIETClassifier._predict = predict  # noqa: SLF001
    for component in (DIETClassifier, ResponseSelector):
        component.process = _with_outputs(component.process)


def _with_outputs(process):
    @functools.wraps(process)
    def processed(self, messages):
        self._outputs = _outputs(self, messages)
        try:
            return process(self, messages)
        finally:
            self._outputs = {}

    return processed


def _outputs(component, messages):
    """Maps `id(message)` to the network's output for it.

    A message that is left out is predicted by Rasa's own way.
    """
    diagnosing = component._execution_context.should_add_diagnostic_data  # noqa: SLF001
    if component.model is None or diagnosing or len(messages) == 1:
        return {}
    featurizers = component.component_config.get("featurizers")
    usable = [m for m in messages if m.features_present(attribute="text", featurizers=featurizers)]
    # Similar lengths together: a batch is padded to its longest message.
    usable.sort(key=_length)
    outputs = {}
    for start in range(0, len(usable), _SIZE):
        batch = usable[start : start + _SIZE]
        data = component._create_model_data(batch, training=False)  # noqa: SLF001
        output = component.model.run_inference(data, batch_size=len(batch))
        for row, message in enumerate(batch):
            outputs[id(message)] = _row(output, row, _length(message))
    return outputs


def _row(output, row, length):
    """The output that this message would have alone: a batch of one, without padding.

    Scores of labels are (batch, 1, labels); tags and their scores (batch, tokens + 1), the last
    one being of the sentence.
    """
    one = {}
    for name, values in output.items():
        if name.startswith("e_"):
            one[name] = values[row : row + 1, : length + 1]
        elif not isinstance(values, dict):
            one[name] = values[row : row + 1]
    return one


def _length(message):
    """Number of tokens."""
    return len(message.get("text_tokens") or ())
