"""Policies in the config: what one extends, and what is written back."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.evaluations import rules

from retrainer.domain.policies import DEFAULT, POLICIES
from retrainer.domain.rules import Floor, Ladder, MustPassUtterances
from retrainer.domain.verdict import NamedRule, Policy
from retrainer.errors import ConfigurationError
from retrainer.settings import Settings, load, policy_of
from retrainer.settings.policies import policy_toml

MINIMAL = """
[assistants.helpdesk]
source = { type = "directory", path = "project" }
"""


def policy(folder: Path, content: str, name: str = "mine") -> Policy:
    file = folder / "retrainer.toml"
    file.write_text(MINIMAL + content, encoding="utf-8")
    return policy_of(load(file, {}), name, where=file)


def test_a_policy_may_be_another_one_and_a_rule_more(tmp_path):
    """The rules of the other come first, with their names, in their order."""
    made = policy(
        tmp_path,
        """[policies.mine]
        extends = "default"
        good_enough = { rule = "floor", metric = "accuracy", minimum = 0.7 }
        """,
    )
    assert made.name == "mine"
    assert made.rules[:-1] == DEFAULT.rules
    assert made.rules[-1] == NamedRule("good_enough", Floor("accuracy", 0.7))


def test_a_rule_of_the_same_name_takes_the_others_place(tmp_path):
    """As another rule; without `rule`, as the same one with other limits; as `false`, not at all."""
    made = policy(
        tmp_path,
        """[policies.mine]
        extends = "default"
        better = { rule = "ladder", errors = 0.75 }
        must_pass = { maximum_failed = 0.1 }
        per_intent = { blocking = false }
        reuse = false
        """,
    )
    names = [named.name for named in DEFAULT.rules if named.name != "reuse"]
    assert [named.name for named in made.rules] == names
    found = {named.name: named for named in made.rules}
    shipped = {named.name: named for named in DEFAULT.rules}
    assert found["better"] == NamedRule("better", Ladder(errors=0.75))
    assert found["must_pass"].rule == MustPassUtterances(maximum_failed=0.1)
    assert found["per_intent"] == NamedRule(
        "per_intent", shipped["per_intent"].rule, blocking=False
    )
    assert found["negative_flips"] == shipped["negative_flips"]


def test_the_built_in_policy_may_be_extended_under_its_own_name(tmp_path):
    """So that all assistants get the additional rule; others that extend it get it too."""
    content = """[policies.default]
    extends = "default"
    good_enough = { rule = "floor", metric = "accuracy", minimum = 0.7 }
    [policies.mine]
    extends = "default"
    suspicious_gain = false
    """
    default = policy(tmp_path, content, "default")
    assert default.rules[:-1] == DEFAULT.rules
    mine = policy(tmp_path, content)
    assert mine.rules[-1].name == "good_enough"
    assert len(mine.rules) == len(DEFAULT.rules)


def test_a_chain_of_extensions_ends_at_a_shipped_one(tmp_path):
    """Each adds to the one before."""
    made = policy(
        tmp_path,
        """[policies.mine]
        extends = "between"
        b = { rule = "must_pass" }
        [policies.between]
        extends = "legacy-2018"
        a = { rule = "must_pass" }
        """,
    )
    assert [named.name for named in made.rules] == ["better", "must_pass", "a", "b"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            "extends = 'defualt'",
            "mine.extends: unknown policy 'defualt'; known are default, strict",
        ),
        ("extends = 3", "mine.extends: unknown policy 3; known are"),
        ("extends = 'mine'", "mine.extends: a policy cannot extend itself: mine -> mine"),
        (
            """extends = 'other'
            [policies.other]
            extends = 'third'
            [policies.third]
            extends = 'mine'""",
            "third.extends: a policy cannot extend itself: mine -> other -> third -> mine",
        ),
        ("extends = 'default'\nbetterr = false", "mine.betterr: there is no such rule to remove"),
        ("better = false", "mine.better: there is no such rule to remove; known are none"),
        ("extends = 'default'\nbetter = true", "mine.better: the table of a rule is needed, or"),
        ("extends = 'default'\nbetter = 0.1", "mine.better: the table of a rule is needed, or"),
        (
            "extends = 'default'\nbetter = { errors = 1.0 }",
            "mine.better.errors: unknown key; rule superiority knows alpha",
        ),
        ("extends = 'default'\nbetter = { alpha = 2.0 }", "alpha must lie above 0 and not above"),
        ("extends = 'default'\nnew = { alpha = 0.1 }", "mine.new.rule: missing"),
        ("extends = { rule = 'floor' }", "mine.extends: unknown policy {'rule': 'floor'}"),
        ("new = { rule = ['floor'] }", "mine.new.rule: unknown rule ['floor']; known are"),
    ],
)
def test_a_wrong_extension_is_refused_with_its_path(tmp_path, content, complaint):
    """Before a night goes by, whether or not an assistant uses the policy."""
    with pytest.raises(ConfigurationError) as caught:
        policy(tmp_path, f"[policies.mine]\n{content}")
    assert f"retrainer.toml: policies.{complaint}" in str(caught.value) or (
        complaint in str(caught.value) and "policies.mine.better" in str(caught.value)
    )


def test_the_environment_may_change_a_limit_of_an_extended_policy(tmp_path):
    """As any other option."""
    file = tmp_path / "retrainer.toml"
    file.write_text(MINIMAL + '[policies.mine]\nextends = "default"\n', encoding="utf-8")
    configured = load(file, {"RETRAINER_POLICIES__MINE__BETTER__ALPHA": "0.1"})
    assert policy_of(configured, "mine", where=file).rules[0].rule.alpha == 0.1


def test_the_environment_may_remove_a_rule_of_an_extended_policy(tmp_path):
    """There, `false` is a text."""
    file = tmp_path / "retrainer.toml"
    file.write_text(MINIMAL + '[policies.mine]\nextends = "default"\n', encoding="utf-8")
    configured = load(file, {"RETRAINER_POLICIES__MINE__REUSE": "false"})
    names = [named.name for named in policy_of(configured, "mine", where=file).rules]
    assert names == [named.name for named in DEFAULT.rules if named.name != "reuse"]


@pytest.mark.parametrize("shipped", POLICIES.values(), ids=POLICIES)
def test_a_shipped_policy_can_be_pasted_into_a_config(tmp_path, shipped):
    """What `policy show` prints is the policy itself."""
    made = policy(tmp_path, policy_toml(shipped), shipped.name)
    assert made == shipped


def can_be_said(rule: object) -> bool:
    """TOML has no word for "no limit": it can only be left out, where that is the default."""
    return all(
        getattr(rule, limit.name) is not None or limit.default is None for limit in fields(rule)
    )


@settings(max_examples=50)
@given(st.lists(st.tuples(rules().filter(can_be_said), st.booleans()), max_size=3))
def test_any_policy_can_be_written_back(chosen):
    """Whatever its rules and limits: TOML says all of them."""
    named = (
        NamedRule(f"rule_{number}", rule, blocking=blocking)
        for number, (rule, blocking) in enumerate(chosen)
    )
    made = Policy("any", tuple(named))
    tables = tomllib.loads(policy_toml(made))["policies"]
    configured = Settings.model_construct(policies=tables)
    assert policy_of(configured, "any", where=Path("x.toml")) == made
