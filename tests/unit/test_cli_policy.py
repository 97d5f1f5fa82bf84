"""`retrainer policy`, with and without a configuration and a history."""

import json
import tomllib
from pathlib import Path

import pytest
from support.worlds import Laboratory, utterances
from typer.testing import CliRunner, Result

from retrainer.cli.app import app
from retrainer.domain.policies import POLICIES
from retrainer.errors import ConfigurationError, CycleNotFound, RetrainerError
from retrainer.store.run_store import SqlRunStore
from retrainer.wiring import Application

CONFIG = """
[assistants.shop]
source = { type = "directory", path = "project" }

[policies.mine]
extends = "default"
better = { rule = "ladder" }

[policies.floor_only]
good_enough = { rule = "floor", metric = "accuracy", minimum = 0.5 }
"""


def run(*arguments: str) -> Result:
    """A command to its end; an error that was foreseen is raised."""
    result = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200"})
    if isinstance(result.exception, RetrainerError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A folder without a configuration."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    """A configuration with four cycles: a first model, a better one, one like it, and a skipped one."""
    folder = tmp_path_factory.mktemp("shop")
    path = folder / "retrainer.toml"
    path.write_text(CONFIG)
    application = Application.from_config(path, {})
    laboratory = Laboratory(folder / "laboratory")
    laboratory.store = SqlRunStore(application.engine, laboratory.clock)
    laboratory.run()
    laboratory.write(utterances(60))
    laboratory.run()
    laboratory.write(utterances(61))
    laboratory.run()
    laboratory.run()
    return path


def simulated(*arguments: str) -> dict[str, object]:
    """A small simulation, as JSON."""
    return json.loads(run(*arguments, "--nights", "3", "--json").stdout)


def test_the_shipped_policies_need_no_configuration(nowhere):
    """Each is listed, and shown as TOML that a configuration understands."""
    listed = run("policy", "list").stdout
    assert all(name in listed for name in POLICIES)
    shown = tomllib.loads(run("policy", "show", "strict").stdout)
    assert shown["policies"]["strict"]["better"]["alpha"] == 0.05
    documents = [json.loads(line) for line in run("policy", "list", "--json").stdout.splitlines()]
    assert [document["policy"] for document in documents] == [*POLICIES]
    assert documents[0]["rules"]["better"]["rule"] == "superiority"
    assert [path.name for path in nowhere.iterdir()] == []


def test_those_of_the_configuration_are_listed_with_who_uses_them(config):
    """And are shown with the rules that they have from others."""
    listed = run("-c", str(config), "policy", "list").stdout
    assert "shop" in next(line for line in listed.splitlines() if line.startswith("  default"))
    assert "of the configuration" in listed
    shown = json.loads(run("-c", str(config), "policy", "show", "mine", "--json").stdout)
    assert shown["rules"]["better"] == {
        "rule": "ladder",
        "errors": 1.0,
        "answers": "served",
        "minimum_items": 0,
        "blocking": True,
    }
    assert "must_pass" in shown["rules"]


@pytest.mark.parametrize("command", ["show odd", "simulate --policy odd", "explain 3 -p odd"])
def test_an_unknown_policy_is_named_with_those_that_are_known(config, command):
    """Whatever is asked of it."""
    with pytest.raises(
        ConfigurationError, match=r"unknown policy 'odd'; known are default, .*mine"
    ):
        run("-c", str(config), "policy", *command.split())


def test_simulating_without_a_configuration(nowhere):
    """What is not said is assumed, and it is said that it is."""
    result = run("policy", "simulate", "--items", "60", "--nights", "3")
    assert "policy default on 60 utterances" in result.stderr
    assert "items: as given" in result.stderr
    assert "discordance: assumed" in result.stderr
    assert "not simulated, so passed by every challenger: per_intent" in result.stderr
    for words in ("One night", "as good as the champion", "80%", "A year of 3 nights"):
        assert words in result.stdout
    assert "a person looks" in result.stdout
    assert list(nowhere.iterdir()) == []


@pytest.mark.usefixtures("nowhere")
def test_a_simulation_for_programs():
    """Every figure with its setting and where that is from, the same every time."""
    arguments = ("policy", "simulate", "-n", "1000", "-d", "0.06", "-p", "strict")
    found = simulated(*arguments)
    assert found == simulated(*arguments)
    assert (found["policy"], found["items"], found["discordance"]) == ("strict", 1000, 0.06)
    assert found["origin"]["items"] == found["origin"]["discordance"] == "as given"
    nights = {night["gain"]: night for night in found["nights"]}
    assert nights[0.0]["promote"] == pytest.approx(0.05, abs=0.01)
    assert nights[-0.02]["promote"] < 0.001
    needed = {row["gain"]: row["items"] for row in found["smallest_holdout"]}
    assert needed[0.02] == pytest.approx(915, rel=0.1)
    assert found["year"]["nights"] == 3
    assert {"accuracy", "worse", "optimism"} <= found["year_of_equal_models"].keys()


def test_the_history_says_what_to_simulate(config):
    """Items and discordance are those of the assistant's last comparisons, which are named."""
    found = simulated("-c", str(config), "policy", "simulate")
    assert found["policy"] == "default"
    assert found["origin"]["items"] == "as in the last cycles of shop: 3, 2"
    shown = json.loads(run("-c", str(config), "show", "3", "--json").stdout)
    answers = shown["evaluation"]["served"]
    assert found["items"] == sum(count for *_, count in answers["counts"])
    assert 0 < found["discordance"] < 0.5
    given = simulated("-c", str(config), "policy", "simulate", "--items", "70")
    assert (given["items"], given["origin"]["items"]) == (70, "as given")
    assert given["discordance"] == found["discordance"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--discordance 0.3", "less than 21.1% of the utterances, not on 30.0%"),
        ("--accuracy 1.0", "an accuracy lies above 0 and below 1, not at 1.0"),
        ("--items 0", "Invalid value for '--items'"),
        ("--items 10000000", "Invalid value for '--items'"),
    ],
)
@pytest.mark.usefixtures("nowhere")
def test_an_impossible_setting_is_refused(options, complaint):
    """With what would be possible."""
    result = run("policy", "simulate", *options.split())
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


def test_what_cannot_be_simulated_is_not(config):
    """A floor says nothing of wins and losses: an invented figure would mislead."""
    with pytest.raises(ConfigurationError, match="0 blocking rules of policy floor_only judge by"):
        run("-c", str(config), "policy", "simulate", "--policy", "floor_only")


def test_one_of_several_assistants_has_to_be_chosen(tmp_path):
    """Unless nothing is asked of the history."""
    path = tmp_path / "retrainer.toml"
    path.write_text(CONFIG + CONFIG[: CONFIG.index("[policies")].replace("shop", "bank"))
    with pytest.raises(ConfigurationError, match="2 assistants are configured, 1 has to be"):
        run("-c", str(path), "policy", "simulate")
    everything = ("policy", "simulate", "-n", "50", "-d", "0.05", "-p", "default")
    assert simulated("-c", str(path), *everything)["items"] == 50
    assert simulated("-c", str(path), "policy", "simulate", "-a", "bank")["items"] == 1000


def test_another_policy_explains_a_recorded_cycle(config):
    """Every check of both side by side; nothing is decided, promoted or recorded."""
    before = run("-c", str(config), "show", "3", "--json").stdout
    result = run("-c", str(config), "policy", "explain", "3", "--policy", "legacy-2018")
    assert (
        "cycle 3 of shop: policy test said REJECT; policy legacy-2018 says REJECT" in result.stdout
    )
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert "passed" in lines["good_enough"]
    assert lines["better"].count("FAILED") == 2
    assert run("-c", str(config), "show", "3", "--json").stdout == before
    document = json.loads(run("-c", str(config), "policy", "explain", "3", "--json").stdout)
    assert document["recorded"]["policy"] == "test"
    assert document["other"]["policy"] == "default"
    assert document["recorded"]["outcome"] == "reject"
    assert {check["rule"] for check in document["other"]["checks"]} >= {"better", "per_intent"}
    assert document["same"] is (document["other"]["outcome"] == "reject")


def test_another_policy_on_the_last_cycles(config):
    """A line each, the newest first; those without a verdict are no part of it."""
    result = run("-c", str(config), "policy", "explain", "--last", "2", "-p", "legacy-2018")
    rows = [line.split()[:6] for line in result.stdout.splitlines() if "legacy-2018" in line]
    assert rows == [
        ["3", "shop", "REJECT", "by", "test", "REJECT"],
        ["2", "shop", "PROMOTE", "by", "test", "PROMOTE"],
    ]
    assert "2 of 2 verdicts would be the same" in result.stdout
    lines = run("-c", str(config), "policy", "explain", "--last", "9", "--json").stdout.splitlines()
    assert [json.loads(line)["cycle"] for line in lines] == [3, 2, 1]


def test_there_has_to_be_something_to_explain(config, tmp_path):
    """A cycle that is not there, or that was not decided, is said to be so."""
    with pytest.raises(CycleNotFound, match="there is no cycle 77"):
        run("-c", str(config), "policy", "explain", "77")
    with pytest.raises(CycleNotFound, match="cycle 4 was not decided"):
        run("-c", str(config), "policy", "explain", "4")
    newest = run("-c", str(config), "policy", "explain", "--json").stdout
    assert json.loads(newest)["cycle"] == 3
    assert run("-c", str(config), "policy", "explain", "3", "--last", "2").exit_code == 2
    empty = tmp_path / "retrainer.toml"
    empty.write_text(CONFIG)
    with pytest.raises(CycleNotFound, match="there is no cycle 'latest'"):
        run("-c", str(empty), "policy", "explain")
