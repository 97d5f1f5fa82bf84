"""Two models compared by a person or a CI job: no cycle, no platform, no database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from retrainer.domain.comparison import compare, report
from retrainer.domain.evaluation import Evaluation, LeftOut, TestSet
from retrainer.domain.examples import Example, MustPass, example_key
from retrainer.domain.predictions import Prediction
from retrainer.domain.split import distinct
from retrainer.domain.verdict import Policy, Verdict, decide
from retrainer.errors import ProjectError


@dataclass(frozen=True, slots=True)
class Answerer:
    """A model, or what is known of its answers.

    `ask` gives its answers to these texts; a part of them may be missing. `entities` and
    `responses` say whether it answers with these too, or nothing is known of them.
    """

    name: str
    ask: Callable[[Sequence[str]], Mapping[str, Prediction]]
    entities: bool = True
    responses: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured, and what the policy says of it."""

    evaluation: Evaluation
    verdict: Verdict


def unseen_by_training(
    examples: Sequence[Example], training: Sequence[Example], *, leave_out: bool
) -> TestSet:
    """The examples to compare on: each once, and none that is training data.

    Raises:
        ProjectError: there are none, or some are training data and are not to be left out.
    """
    candidates = distinct(example for example in examples if example.intent)
    if not candidates:
        raise ProjectError(
            f"0 utterances with an intent are among {len(examples)} examples, at least 1 is needed "
            "to compare on",
            tip="--data takes NLU data as Rasa reads it: a file that begins with `nlu:`",
        )
    known = {example_key(example.text) for example in training}
    kept = tuple(e for e in candidates if example_key(e.text) not in known)
    seen = len(candidates) - len(kept)
    if seen and not leave_out:
        others = f", or compare on the other {len(kept)} with --leave-out-seen" if kept else ""
        raise ProjectError(
            f"{seen} of {len(candidates)} test utterances are training data too, 0 may be: a model "
            "that was trained on them looks better than it is",
            tip=f"take them out of the one or the other{others}",
        )
    if not kept:
        raise ProjectError(
            f"0 of {len(candidates)} test utterances are left to compare on, at least 1 is needed: "
            "all of them are training data",
            tip="compare on utterances that no model was trained on",
        )
    return TestSet(kept, LeftOut(challenger_saw=seen))


def compare_models(
    champion: Answerer,
    challenger: Answerer,
    test_set: TestSet,
    policy: Policy,
    *,
    must_pass: Sequence[MustPass] = (),
    training_known: bool = False,
) -> Comparison:
    """Ask both models, and decide by the policy.

    What is not known of one of them is compared of neither. `training_known` says whether the test
    set is known to be without what they were trained on.

    Raises:
        ProjectError: a model did not answer every utterance.
    """
    texts = [e.text for e in test_set.examples] + [m.example.text for m in must_pass]
    before, after = _answers(champion, texts), _answers(challenger, texts)
    both = (champion, challenger)
    if not all(model.entities for model in both):
        test_set, must_pass = _without(test_set, must_pass, entities=())
        before, after = _without_entities(before), _without_entities(after)
    if not all(model.responses for model in both):
        test_set, must_pass = _without(test_set, must_pass, response=None)
    evaluation = compare(
        test_set,
        challenger=report(challenger.name, test_set, after, must_pass),
        after=after,
        champion=report(champion.name, test_set, before, must_pass),
        before=before,
        champion_known=training_known,
    )
    return Comparison(evaluation, decide(evaluation, policy))


def _answers(model: Answerer, texts: Sequence[str]) -> Mapping[str, Prediction]:
    wanted = list(dict.fromkeys(texts))
    answers = model.ask(wanted)
    if missing := [text for text in wanted if text not in answers]:
        raise ProjectError(
            f"{model.name} has no answer to {len(missing)} of {len(wanted)} utterances, the first "
            f"is {missing[0]!r}: models are compared on the same utterances or not at all",
            tip="let it answer all of --data, and those of --must-pass",
        )
    return answers


def _without(
    test_set: TestSet, must_pass: Sequence[MustPass], **unknown: tuple[()] | None
) -> tuple[TestSet, Sequence[MustPass]]:
    """The same utterances, of which these labels are not asked for."""
    kept = tuple(_relabelled(example, unknown) for example in test_set.examples)
    asked = tuple(replace(m, example=_relabelled(m.example, unknown)) for m in must_pass)
    return replace(test_set, examples=kept), asked


def _relabelled(example: Example, labels: Mapping[str, tuple[()] | None]) -> Example:
    return replace(example, **labels)  # type: ignore[arg-type] # of the right type each


def _without_entities(answers: Mapping[str, Prediction]) -> Mapping[str, Prediction]:
    return {text: replace(prediction, entities=()) for text, prediction in answers.items()}
