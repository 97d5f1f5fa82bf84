"""Two models compared without a cycle: what is asked, what is refused, what is printed."""

import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support.evaluations import example, policy, prediction
from typer.testing import CliRunner

from retrainer.adapters import stored_predictions
from retrainer.cli.app import app
from retrainer.domain.examples import Entity, Example, MustPass
from retrainer.domain.policies import POLICIES
from retrainer.domain.predictions import Prediction
from retrainer.domain.rules import Floor, Simple
from retrainer.domain.verdict import Outcome
from retrainer.errors import ProjectError
from retrainer.pipeline.comparing import Answerer, compare_models, unseen_by_training
from retrainer.reports import comparison, sections
from retrainer.reports.sections import Section
from retrainer.wiring.comparison import Inputs, compare_inputs

GOLD = {
    "hello": "greet",
    "hi there": "greet",
    "good day": "greet",
    "where is my parcel": "track",
    "track it": "track",
    "see you": "bye",
}
OLD = GOLD | {"good day": "bye", "track it": "greet"}
NEW = GOLD | {"see you": "greet"}


def answerer(name: str, answers: dict[str, str]) -> Answerer:
    """A model that answers so, whatever it is asked."""
    return Answerer(name, lambda _: {text: prediction(text, i) for text, i in answers.items()})


def asked_of(*examples: Example):
    """These utterances, or those of `GOLD`."""
    chosen = examples or tuple(example(text, intent) for text, intent in GOLD.items())
    return unseen_by_training(chosen, (), leave_out=False)


def compared(rules=None, **arguments):
    """The old model against the new one."""
    return compare_models(
        answerer("old", OLD),
        answerer("new", NEW),
        asked_of(),
        rules or POLICIES["legacy-2018"],
        **arguments,
    )


def test_numbers_that_can_be_checked_by_hand():
    """Six utterances: the old model has 4 right, the new one 5; they differ on 3."""
    found = compared()
    evaluation = found.evaluation
    assert evaluation.champion is not None
    assert evaluation.served is not None
    counts = evaluation.served.totals
    assert (counts.items, counts.wins, counts.losses) == (6, 2, 1)
    assert evaluation.champion.metrics["accuracy"] == pytest.approx(4 / 6)
    assert evaluation.challenger.metrics["accuracy"] == pytest.approx(5 / 6)
    # greet: 3 of 3 right and 1 answered in error, so F1 6/7; track 1; bye 0: (3*6/7 + 2) / 6
    assert evaluation.challenger.metrics["f1_weighted"] == pytest.approx((3 * 6 / 7 + 2) / 6)
    assert found.verdict.outcome is Outcome.PROMOTE
    document = comparison.to_json(evaluation, found.verdict)
    assert document["result"] == "PROMOTE"
    # Of 8 ways that 3 differences can fall, 1 has 3 wins and 3 have 2: p = (1 + 3 / 2) / 8
    assert document["evidence"]["p"] == pytest.approx(2.5 / 8)
    assert document["differences"]["accuracy"]["observed"] == pytest.approx(1 / 6)
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_each_kind_of_verdict():
    """The policy is applied as in a cycle."""
    assert compared(policy(Floor("accuracy", 0.99))).verdict.outcome is Outcome.REJECT
    assert compared(POLICIES["default"]).verdict.outcome is Outcome.HOLD
    assert compared(policy(Simple("accuracy"))).verdict.outcome is Outcome.PROMOTE


def test_must_pass_utterances_are_asked_too():
    """Those that fail are named."""
    found = compared(must_pass=[MustPass(example("see you", "bye"))])
    assert found.verdict.outcome is Outcome.REJECT
    text = sections.markdown(comparison.sections(found.evaluation, found.verdict, 10))
    assert "that the challenger fails: 1" in text
    assert "understood as greet instead of bye" in text.replace("\\", "")


def test_answers_to_a_part_are_refused():
    """How many are missing, and one of them."""
    part = answerer("part.json", dict(list(OLD.items())[:4]))
    with pytest.raises(ProjectError, match=r"part\.json has no answer to 2 of 6 .* 'track it'"):
        compare_models(part, answerer("new", NEW), asked_of(), POLICIES["default"])


@given(st.lists(st.sampled_from(["a", "A", "a b", "A  B", "c"]), max_size=6), st.booleans())
def test_no_utterance_is_training_data(texts, leave_out):
    """However it is written; none is counted twice, and the number left out is right."""
    examples = [example(text, "greet") for text in texts]
    distinct = {" ".join(text.casefold().split()) for text in texts}
    seen = distinct & {"a b"}
    training = [example("a B", "x")]
    if (seen and not leave_out) or not distinct - seen:
        counted = f" of {len(distinct)} test utterances" if distinct else "0 utterances with an "
        with pytest.raises(ProjectError, match=counted):
            unseen_by_training(examples, training, leave_out=leave_out)
        return
    found = unseen_by_training(examples, training, leave_out=leave_out)
    assert {" ".join(e.text.casefold().split()) for e in found.examples} == distinct - seen
    assert len(found.examples) == len(distinct - seen)
    assert found.left_out.challenger_saw == len(seen)


def test_what_is_not_known_of_one_is_compared_of_neither():
    """Predictions without entities do not make the other model look bad, or good."""
    order = Entity("order", "A-1", 9, 12)
    asked = Example("where is A-1", "track", entities=(order,), response="track/one")
    full = Prediction(asked.text, "track", 0.9, "track", 0.9, (order,), "track/one")
    bare = Prediction(asked.text, "track", 0.9, "track", 0.9)

    def model(answer, **known):
        return Answerer("m", lambda _: {asked.text: answer}, **known)

    both = compare_models(model(full), model(full), asked_of(asked), POLICIES["default"])
    assert both.evaluation.challenger.metrics["entity_f1"] == 1
    assert both.evaluation.challenger.metrics["response_accuracy"] == 1
    one = compare_models(
        model(full),
        model(bare, entities=False, responses=False),
        asked_of(asked),
        POLICIES["default"],
    )
    for report in (one.evaluation.champion, one.evaluation.challenger):
        assert report is not None
        assert not {"entity_f1", "response_accuracy"} & {*report.metrics}
        assert report.entities == {}


def test_what_is_not_known_fails_no_must_pass_utterance():
    """The intent is asked for, and neither the entity nor the response that nothing is known of."""
    order = Entity("order", "A-1", 9, 12)
    asked = Example("where is A-1", "track", entities=(order,), response="track/one")
    bare = Prediction(asked.text, "track", 0.9, "track", 0.9)

    def passed(**known):
        model = Answerer("m", lambda _: {asked.text: bare}, **known)
        found = compare_models(
            model, model, asked_of(asked), POLICIES["default"], must_pass=[MustPass(asked)]
        )
        (result,) = found.evaluation.challenger.must_pass
        return result.problem is None

    assert passed(entities=False, responses=False)
    assert not passed(entities=True, responses=False)
    assert not passed(entities=False, responses=True)


def test_all_of_it_is_shown():
    """Verdict, figures with intervals, evidence, intents, confused pairs and flips."""
    found = compared()
    parts = comparison.sections(found.evaluation, found.verdict, 1)
    shown = {part.title: part for part in parts}
    assert [title.partition(":")[0] for title in shown] == [
        "Checks of policy legacy-2018",
        "Figures",
        "Evidence",
        "Intents",
        "Confused pairs, the most changed first",
        "Worse",
        "Better",
    ]
    assert ("bye", "greet", "0", "1") in shown["Confused pairs, the most changed first"].rows
    assert ("bye", "1", "1.0000", "0.0000", "-100.00", "1", "0") not in shown["Intents"].rows
    (accuracy,) = (row for row in shown["Figures"].rows if row[0] == "accuracy")
    assert accuracy[:4] == ("accuracy", "0.6667", "0.8333", "+16.67")
    assert " to " in accuracy[4]
    assert len(shown["Better: 2 utterances that only the challenger understood"].rows) == 1
    assert parts[-1].note == "… and 1 more: --flips all."
    every = comparison.sections(found.evaluation, found.verdict, None)
    assert len(every[-1].rows) == 2
    assert not every[-1].note


@pytest.mark.parametrize("known", [True, False])
def test_what_the_models_may_have_seen_is_said(known):
    """Nothing keeps a model from knowing the test by heart where its training data is not named."""
    found = compared(training_known=known) if known else compared()
    assert found.evaluation.champion_known is known
    parts = comparison.sections(found.evaluation, found.verdict, 1)
    (evidence,) = (part for part in parts if part.title == "Evidence")
    assert ("--training-data" in evidence.note) is not known


def test_users_words_are_no_markup():
    """An utterance is shown as it is, in a terminal and in a pull request."""
    nasty = "[bold]a|b`*_\\ @team <img> \x1b[31m"
    section = Section("Title", ((nasty,),), ("text",))
    line = sections.markdown([section]).splitlines()[4]
    assert line.startswith("| \\[bold\\]a\\|b\\`\\*\\_")
    assert "@team" not in line
    assert "\x1b" not in line
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(sections.terminal([section]))
    assert "[bold]a|b`*_" in console.export_text()


def test_stored_predictions_are_read_again(tmp_path):
    """Everything that a model said is kept, NaN included."""
    file = tmp_path / "p.json"
    answers = {
        "a": Prediction("a", "x", math.nan, "nlu_fallback", 0.7, (Entity("e", "v", 0, 1),), "x/y"),
        "b": Prediction("b", None, 0.0, None, 0.0),
    }
    stored_predictions.write(file, answers)
    read = stored_predictions.read(file)
    assert math.isnan(read.answers["a"].confidence)
    assert read.answers["a"].entities == answers["a"].entities
    assert read.answers["b"] == answers["b"]
    assert (read.entities, read.responses) == (True, True)
    assert stored_predictions.is_stored(file)


def test_rasas_own_files_are_read(tmp_path):
    """The folder of `rasa test nlu --successes`: of entities these say nothing."""
    for name, text, intent in (("successes", "a", "x"), ("errors", "b", None)):
        entry = {
            "text": text,
            "intent": "x",
            "intent_prediction": {"name": intent, "confidence": 0.5},
        }
        (tmp_path / f"intent_{name}.json").write_text(json.dumps([entry]))
    read = stored_predictions.read(tmp_path)
    assert read.answers["a"] == prediction("a", "x", 0.5)
    assert read.answers["b"].intent is None
    assert (read.entities, read.responses) == (False, False)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not JSON"),
        ('{"a": 1}', "a list of predictions is needed, not dict"),
        ("[1]", "entry 1: text: "),
        ('[{"text": "a"}, {"text": 3, "intent": "x"}]', "entry 2: text: "),
        (
            '[{"text": "a", "intent": "x"}, {"text": "a", "intent": "y"}]',
            "entry 2: a second answer",
        ),
        ('[{"text": "a", "confidence": 5}]', "entry 1: confidence lies between 0 and 1, not at 5"),
        ("[" * 200_000, "is not JSON: maximum recursion depth"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, content, problem):
    """With the entry that is wrong."""
    file = tmp_path / "p.json"
    file.write_text(content)
    with pytest.raises(ProjectError, match=problem):
        stored_predictions.read(file)


def test_only_what_can_be_done_is_offered():
    """Where all utterances are training data, leaving them out would leave none."""
    examples = [example("a", "x"), example("b", "x")]
    with pytest.raises(ProjectError, match="1 of 2") as some:
        unseen_by_training(examples, examples[:1], leave_out=False)
    assert some.value.tip is not None
    assert some.value.tip.endswith("the other 1 with --leave-out-seen")
    with pytest.raises(ProjectError, match="2 of 2") as every:
        unseen_by_training(examples, examples, leave_out=False)
    assert every.value.tip == "take them out of the one or the other"


def test_the_name_of_an_intent_is_not_broken_in_a_narrow_terminal():
    """It is what people look for in the rows."""
    found = compared()
    (intents,) = (
        part
        for part in comparison.sections(found.evaluation, found.verdict, 1)
        if part.title == "Intents"
    )
    row = ("ask_for_the_delivery", "120", "0.9333", "0.8571", "-12.50", "14", "11")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(sections.terminal([Section("Intents", (row,), intents.columns)]))
    assert "ask_for_the_delivery" in console.export_text()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"challenger": "gone.tar.gz"}, "gone.tar.gz is not there: a model archive"),
        ({"champion": "gone.json"}, "gone.json is not there: a model archive"),
        ({"champion": "folder"}, "folder is a folder of something else: a model archive"),
        ({"data": ("gone.yml",)}, "gone.yml is not there, a file or folder of NLU data"),
        ({"seen": ("gone.yml",)}, "gone.yml is not there, a file or folder of NLU data"),
        ({"project": "old.json"}, "--project: .*old.json is no folder"),
        ({"save": "new.tar.gz"}, "--save-predictions: a file that ends in .json is needed"),
        ({"save": "folder.json"}, "--save-predictions: a file that ends in .json is needed"),
        ({"save": "old.json"}, "--save-predictions: .*old.json is read, and would be overwritten"),
    ],
)
def test_wrong_inputs_are_found_before_rasa_starts(tmp_path, changed, problem):
    """With the path; and no model is overwritten by answers."""
    for name in ("old.json", "new.tar.gz", "test.yml"):
        (tmp_path / name).write_text("[]")
    for name in ("folder", "folder.json"):
        (tmp_path / name).mkdir()
    given = {"champion": "old.json", "challenger": "new.tar.gz", "data": ("test.yml",)} | changed
    paths = {
        name: tuple(tmp_path / path for path in value)
        if isinstance(value, tuple)
        else tmp_path / value
        for name, value in given.items()
    }
    save = paths.pop("save", None)
    with pytest.raises(ProjectError, match=problem):
        compare_inputs(
            Inputs(**paths), config=None, policy="default", progress=lambda _: None, save=save
        )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--flips", "-1"), "a number of at most 9 digits or all"),
        (("--flips", "²"), "a number of at most 9 digits or all"),
        (("--flips", "9" * 5000), "a number of at most 9 digits or all"),
        (("--json", "--markdown"), "exclude each other"),
        (("--leave-out-seen",), "needs --training-data"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, problem):
    """As wrong usage, before anything is read."""
    arguments = ["compare", "a.json", "b.json", "--data", "c.yml", *options]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert problem in result.stderr
