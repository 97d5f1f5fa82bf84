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
    known = {example_key(example.text) for example in training}
    kept = tuple(e for e in candidates if example_key(e.text) not in known)
    seen = len(candidates) - len(kept)
    if seen and not leave_out:
        raise ProjectError(
            f"{seen} of {len(candidates)} test utterances are training data too, 0 may be: a model "
            "that was trained on them looks better than it is",
            tip="take them out of the one or the other, or compare on the other "
            f"{len(kept)} with --leave-out-seen",
        )
    if not kept:
        raise ProjectError(
            f"0 of {len(candidates)} test utterances are left to compare on, at least 1 is needed"
        )
    return TestSet(kept, LeftOut(challenger_saw=seen))


def compare_models(
    champion: Answerer,
    challenger: Answerer,
    test_set: TestSet,
    policy: Policy,
    *,
    must_pass: Sequence[MustPass] = (),
) -> Comparison:
    """Ask both models, and decide by the policy.

    What is not known of one of them is compared of neither.

    Raises:
        ProjectError: a model did not answer every utterance.
    """
    texts = [e.text for e in test_set.examples] + [m.example.text for m in must_pass]
    before, after = _answers(champion, texts), _answers(challenger, texts)
    both = (champion, challenger)
    if not all(model.entities for model in both):
        test_set = replace(
            test_set, examples=tuple(replace(e, entities=()) for e in test_set.examples)
        )
        before, after = _without_entities(before), _without_entities(after)
    if not all(model.responses for model in both):
        test_set = replace(
            test_set, examples=tuple(replace(e, response=None) for e in test_set.examples)
        )
    evaluation = compare(
        test_set,
        challenger=report(challenger.name, test_set, after, must_pass),
        after=after,
        champion=report(champion.name, test_set, before, must_pass),
        before=before,
    )
    return Comparison(evaluation, decide(evaluation, policy))


def _answers(model: Answerer, texts: Sequence[str]) -> Mapping[str, Prediction]:
    wanted = list(dict.fromkeys(texts))
    answers = model.ask(wanted)
    if missing := [text for text in wanted if text not in answers]:
        raise ProjectError(
            f"{model.name} has no answer to {len(missing)} of {len(wanted)} utterances, the first "
            f"is {missing[0]!r}: models are compared on the same utterances or not at all"
        )
    return answers


def _without_entities(answers: Mapping[str, Prediction]) -> Mapping[str, Prediction]:
    return {text: replace(prediction, entities=()) for text, prediction in answers.items()}
