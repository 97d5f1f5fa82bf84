"""What the README shows has to work as it stands there."""

import re
from pathlib import Path

import pytest

from retrainer.wiring import Application

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
#: What the README says comes from the environment, by the table that it belongs to.
SECRETS = {
    "[assistants.shop.sources.annotations]": "SHOP__SOURCES__ANNOTATIONS__API_TOKEN",
    "[assistants.shop.platform]": "SHOP__PLATFORM__PASSWORD",
}
REST = '[assistants.{}]\nsource = {{ type = "directory", path = "project" }}\n'


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_each_configuration_is_understood(tmp_path, block):
    """A snippet is taken as it is, but for the assistant and the secrets that stand elsewhere."""
    environment = {
        f"RETRAINER_ASSISTANTS__{name}": "secret" for key, name in SECRETS.items() if key in block
    }
    if "[notifiers.team]" in block:
        environment["RETRAINER_NOTIFIERS__TEAM__WEBHOOK_URL"] = "https://hooks.slack.com/x"
    if "source" not in block:
        (name,) = set(re.findall(r"\[assistants\.([a-z]+)", block)) or {"bank"}
        block = REST.format(name) + block
    (tmp_path / "retrainer.toml").write_text(block, encoding="utf-8")
    Application.from_config(tmp_path / "retrainer.toml", environment).require_plugins()


def test_there_is_a_page_for_each_platform_and_source():
    """Each built-in plugin is shown in use, and each can be found from the table."""
    for kind in ("git", "rasa_x", "rasa_server", "object_storage", "mlflow"):
        assert f'type = "{kind}"' in "".join(BLOCKS)
    for anchor in re.findall(r"\]\(#([a-z0-9-]+)\)", README):
        titles = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
        assert anchor in [re.sub(r"[^a-z0-9 -]", "", t.lower()).replace(" ", "-") for t in titles]
