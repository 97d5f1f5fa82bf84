"""What a config may ask for in the way of several challengers."""

import pytest

from retrainer.errors import ConfigurationError
from retrainer.settings import load

ASSISTANT = """
[assistants.shop]
source = { type = "directory", path = "project" }
"""


def loaded(folder, training, evaluation=""):
    config = folder / "retrainer.toml"
    tables = f"[assistants.shop.training]\n{training}\n[assistants.shop.evaluation]\n{evaluation}\n"
    config.write_text(ASSISTANT + tables)
    return load(config, {}).assistants["shop"].training


@pytest.mark.parametrize(
    ("training", "challengers"),
    [
        ("", 1),
        ("configs = ['a.yml']\nseeds = [0]", 1),
        ("finetune = true", 2),
        ("configs = ['a.yml', 'b.yml']\nseeds = [1, 2, 4294967295]\nfinetune = true", 7),
    ],
)
def test_configs_times_seeds_and_one_more(tmp_path, training, challengers):
    """Each config is trained with each seed, and the champion finetuned once."""
    assert loaded(tmp_path, training).challengers == challengers


@pytest.mark.parametrize(
    ("training", "problem"),
    [
        ("configs = ['../config.yml']", "training.configs.0: '../config.yml' must lie inside"),
        ("configs = ['a.yml', 'a.yml']", "training.configs: 'a.yml' is there 2 times, 1 is enough"),
        ("seeds = [7, 8, 7, 7]", "training.seeds: 7 is there 3 times, 1 is enough"),
        ("seeds = [-1]", "training.seeds.0: "),
        ("seeds = [4294967296]", "training.seeds.0: "),
        ("seeds = ['x']", "training.seeds.0: "),
        ("finetuned = true", "finetuned: unknown key, did you mean finetune?"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path, training, problem):
    """A slip is an error at the start, not a night of trainings for nothing."""
    with pytest.raises(ConfigurationError) as raised:
        loaded(tmp_path, training)
    assert f"assistants.shop.training.{problem.removeprefix('training.')}" in str(raised.value)


@pytest.mark.parametrize(("training", "number"), [("finetune = true", 2), ("seeds = [1, 2, 3]", 3)])
def test_a_cross_validation_leaves_nothing_to_choose_by(tmp_path, training, number):
    """Every example tests there, so none may choose; the keys that contradict are all named."""
    with pytest.raises(ConfigurationError) as raised:
        loaded(tmp_path, training, 'mode = "cross_validation"')
    message = str(raised.value)
    assert "assistants.shop: " in message
    for part in ("training.configs", "training.seeds", "training.finetune", "evaluation.mode"):
        assert part in message
    assert f"ask for {number} challengers" in message
    assert loaded(tmp_path, "seeds = [7]", 'mode = "cross_validation"').seeds == (7,)
