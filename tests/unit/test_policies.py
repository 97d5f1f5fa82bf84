"""The policies that are shipped, and what the doctor says of one that never promotes."""

from dataclasses import replace

import pytest
from hypothesis import given
from support.evaluations import (
    evaluations,
    must_pass_result,
    paired_answers,
    policy,
    report,
    rules,
)

from retrainer.domain.data_quality import DataQuality
from retrainer.domain.decision_rules import HOLD
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.policies import ABOUT, DEFAULT, FAST, LEGACY_2018, POLICIES, can_promote
from retrainer.domain.rules import Floor, KnownIntents, Superiority, SuspiciousGain
from retrainer.domain.simulated_policy import simulated
from retrainer.domain.simulated_year import Holdout, serve
from retrainer.domain.simulation import draw_night, odds
from retrainer.domain.verdict import NamedRule, Outcome, Policy, decide
from retrainer.wiring.doctor.diagnosis import Level
from retrainer.wiring.doctor.policies import of_policy

SHIPPED = pytest.mark.parametrize("shipped", POLICIES.values(), ids=POLICIES)


def test_the_default_keeps_what_is_asked_of_it():
    """On 1,000 items it serves 91 % and promotes hardly anything that is worse, all year."""
    served = serve(simulated(DEFAULT).rule, Holdout(1000), years=50)
    assert served.accuracy.mean > 0.910 - 2 * served.accuracy.error
    assert served.worse.mean < 0.7 + 2 * served.worse.error
    old = serve(simulated(LEGACY_2018).rule, Holdout(1000), years=50)
    assert old.worse.mean > 3 * served.worse.mean


@pytest.mark.parametrize("items", [60, 150, 299])
def test_the_default_does_not_guess_on_few_utterances(items):
    """An equal model is hardly ever promoted, and mostly a person is asked."""
    found = odds(
        simulated(DEFAULT).rule,
        *draw_night(items=items, discordance=0.06, draws=10_000),
        items,
    )
    assert found.promote < 0.06
    assert found.hold > 0.85


def test_the_default_has_an_opinion_on_many():
    """From some hundreds of utterances on nobody is asked because of their number."""
    rule = simulated(DEFAULT).rule
    wins, losses = draw_night(items=1000, discordance=0.06, draws=1_000)
    assert HOLD not in rule(wins, losses, 1000)


def test_the_policies_differ_as_they_say():
    """More worse models the faster new data is followed, and fewest of all where that is costly."""
    worse = {
        name: serve(simulated(shipped).rule, Holdout(1000), years=40).worse.mean
        for name, shipped in POLICIES.items()
    }
    assert worse["strict"] < worse["default"] < worse["fast"] < worse["legacy-2018"]


@SHIPPED
def test_a_shipped_policy_is_one_that_can_promote(shipped):
    """Its name is what the config calls it, its rules have different names, and it has a purpose."""
    assert POLICIES[shipped.name] is shipped
    assert can_promote(shipped)
    assert len({named.name for named in shipped.rules}) == len(shipped.rules)
    assert ABOUT[shipped]


def test_a_jump_is_held_by_all_that_look_for_leaks():
    """However sure it is that the challenger is better."""
    counts = paired_answers(wins=200, losses=2, items=1000).totals
    for shipped in (DEFAULT, FAST):
        held = {
            named.name: named.rule.judge(counts).outcome
            for named in shipped.rules
            if isinstance(named.rule, SuspiciousGain)
        }
        assert held == {"suspicious_gain": "hold"}


@given(rules(), evaluations())
def test_a_policy_of_guards_alone_is_known_to_be_one(rule, evaluation):
    """What the list of guards says of a rule is what its checks say of themselves."""
    assert can_promote(policy(rule)) is not rule.assess(evaluation).guard


@pytest.mark.parametrize(
    ("rules_of_it", "seen"),
    [
        ((), "p never promotes: 0 say how good a model is, at least 1 is needed"),
        (
            (NamedRule("leaks", SuspiciousGain()),),
            "p never promotes: of its 1 blocking rule 0 say how good a model is",
        ),
        ((NamedRule("better", Superiority(), blocking=False),), "p never promotes: 0 say"),
    ],
    ids=["none", "guards", "advisory"],
)
def test_the_doctor_warns_of_a_policy_that_never_promotes(rules_of_it, seen):
    """Before a year of nights goes by in which nothing happens."""
    (found,) = of_policy("policy of shop", Policy("p", rules_of_it))
    assert found.level is Level.WARNING
    assert seen in found.observed
    assert "[policies.p]" in found.fix


def test_the_doctor_has_nothing_to_say_of_one_that_does():
    """It names what decides."""
    (found,) = of_policy("policy of shop", policy(Floor("accuracy", 0.5), KnownIntents()))
    assert (found.level, found.minor) == (Level.OK, True)
    assert found.observed == "tested: rule_0, rule_1"


def test_a_first_model_needs_must_pass_utterances():
    """The default compares, so without a champion it is they that speak for the first model."""
    sound = DataQuality(examples=9, texts=9, intents={"track_order": 9})
    silent = Evaluation(report(), data=sound)
    assert decide(silent, DEFAULT).outcome is Outcome.HOLD
    for passed, outcome in ((True, Outcome.PROMOTE), (False, Outcome.REJECT)):
        first = report(must_pass=(must_pass_result(passed=passed),))
        assert decide(replace(silent, challenger=first), DEFAULT).outcome is outcome
