"""A config whose components get another random seed, so that training with it gives another model."""

from .faults import blamed, project_fault
from .project import Project

_SEED = "random_seed"
#: Where the components stand in a config, and what Rasa completes where it is empty.
_LISTS = ("pipeline", "policies")


def with_seed(project, seed, folder):
    """The project with a config in `folder` that gives this seed to all that take one."""
    from rasa.shared.utils.io import read_config_file, write_yaml

    with blamed(project.config):
        config = dict(read_config_file(str(project.config)))
    takes = _names_of_those_that_take_one(config)
    given = 0
    for part in _LISTS:
        entries = [dict(entry) for entry in config.get(part) or ()]
        for entry in entries:
            if entry["name"].rpartition(".")[2] in takes:
                entry[_SEED] = seed
                given += 1
        config[part] = entries
    if not given:
        raise project_fault(
            "none of its components takes a {}, so each seed would give the same model".format(
                _SEED
            ),
            project.relative(project.config),
            tip="leave `training.seeds` of this assistant empty, or this config out of `configs`",
        )
    written = folder / "seeded-{}".format(project.config.name)
    write_yaml(config, str(written), should_preserve_key_order=True)
    return Project(project.root, written, project.domain, project.data)


def _names_of_those_that_take_one(config):
    """The class names; completes what the config leaves to Rasa."""
    from rasa.engine.recipes.default_recipe import DefaultV1Recipe
    from rasa.engine.recipes.recipe import Recipe

    recipe = Recipe.recipe_for_name(config.get("recipe"))
    if isinstance(recipe, DefaultV1Recipe):
        missing = {part for part in _LISTS if config.get(part) is None}
        config.update(recipe.complete_config(config, missing))
    nodes = recipe.graph_config_for_recipe(config, {}).train_schema.nodes.values()
    return {node.uses.__name__ for node in nodes if _SEED in node.uses.get_default_config()}
