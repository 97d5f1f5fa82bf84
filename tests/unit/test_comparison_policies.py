"""Rules that compare two models, as a config names them, and how long they take."""

import random
import subprocess
import sys
import time
from collections import Counter

import pytest
from support.evaluations import compared_answers

from retrainer.domain.paired import PairedAnswers
from retrainer.domain.rules import (
    KnownIntents,
    Ladder,
    NegativeFlips,
    NonInferiority,
    Superiority,
    SuspiciousGain,
)
from retrainer.domain.verdict import NamedRule, Outcome, Policy, decide
from retrainer.errors import ConfigurationError
from retrainer.settings import load, policy_of

ASSISTANT = "[assistants.helpdesk]\nsource = { type = 'directory', path = 'project' }\n"


def loaded(folder, rule):
    path = folder / "retrainer.toml"
    path.write_text(f"{ASSISTANT}[policies.p]\na = {{ {rule} }}\n", encoding="utf-8")
    return policy_of(load(path), "p", where=path).rules[0].rule


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (
            "rule = 'superiority', metric = 'f1_macro', method = 'percentile', alpha = 0.1",
            Superiority(0.1, metric="f1_macro", method="percentile"),
        ),
        ("rule = 'superiority', test = 'exact'", Superiority(test="exact")),
        ("rule = 'ladder', errors = 2", Ladder(errors=2.0)),
        ("rule = 'non_inferiority', margin = 0.02", NonInferiority(margin=0.02)),
        ("rule = 'known_intents', answers = 'classified'", KnownIntents(answers="classified")),
        ("rule = 'negative_flips', maximum = 0.1", NegativeFlips(maximum=0.1)),
        ("rule = 'suspicious_gain', maximum = 0.2", SuspiciousGain(maximum=0.2)),
    ],
)
def test_a_config_names_them(tmp_path, written, rule):
    """What stands in the file is the rule with these limits."""
    assert loaded(tmp_path, written) == rule


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("rule = 'floor', metric = 'accuracy', minimum = 1.01", "minimum must lie between 0 and 1"),
        ("rule = 'floor', metric = 'accuracy', minimum = nan", "minimum must lie between 0 and 1"),
        ("rule = 'superiority', alpha_if_few = 0.2", "alpha_if_few must not exceed alpha, 0.05"),
        ("rule = 'superiority', min_gain = 0.99", "min_gain and detect together must be below 1"),
        ("rule = 'superiority', min_items = 9", "policies.p.a.min_items: unknown key"),
        ("rule = 'non_inferiority', margin = 0", "without one ask for superiority"),
        ("rule = 'negative_flips', maximum = 2", "maximum must lie between 0 and 1, not 2"),
        ("rule = 'superiority', metric = 'f2'", "policies.p.a.metric: Input should be 'accuracy'"),
        ("rule = 'superiority', answers = 'x'", "policies.p.a.answers: Input should be 'served'"),
        ("rule = 'ladder', errors = 'one'", "policies.p.a.errors: Input should be a valid number"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_path(tmp_path, written, problem):
    """No policy may ask for what nothing can meet, or for nothing by mistake."""
    with pytest.raises(ConfigurationError, match=r"policies\.p\.a") as caught:
        loaded(tmp_path, written)
    assert problem in str(caught.value)


def test_a_rule_is_known_without_numpy():
    """`retrainer --help` and `history` know the policies, and do not wait for numbers."""
    program = "import sys, retrainer.domain.policies; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def many(intents, utterances):
    """Two models that are right on about nine of ten utterances."""
    draw = random.Random(3)
    names = [f"intent_{number}" for number in range(intents)]

    def answer(gold, share):
        return gold if draw.random() < share else draw.choice(names)

    counts: Counter[tuple[str, str, str]] = Counter()
    for number in range(utterances):
        gold = names[number % intents]
        before = answer(gold, 0.9)
        counts[gold, before, before if draw.random() < 0.9 else answer(gold, 0.95)] += 1
    return PairedAnswers.of(counts)


def test_a_verdict_takes_milliseconds():
    """On 150 intents and 3,000 utterances, without a bootstrap; a generous limit, on any machine."""
    evaluation = compared_answers(many(150, 3000))
    rules = (Superiority(), Ladder(), NonInferiority(), KnownIntents(), NegativeFlips())
    policy = Policy("p", tuple(NamedRule(type(rule).__name__, rule) for rule in rules))
    before = time.process_time()
    verdict = decide(evaluation, policy)
    assert time.process_time() - before < 0.25
    assert {check.outcome for check in verdict.checks} <= {*Outcome}
