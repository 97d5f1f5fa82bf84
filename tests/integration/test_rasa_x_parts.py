"""The source `rasa_x` where a server answers oddly, and beside other sources in a config."""

import json
from pathlib import Path

import pytest
from support.fault_proxy import Page, fault_proxy
from support.rasa_projects import CONFIG, DOMAIN, FAST_PIPELINE, NLU, STORIES, write_project
from support.rasa_x import X_2020, X_2021, Parts, rasa_x

from retrainer.adapters.rasa_x.source import RasaXSource
from retrainer.errors import ProjectError, ServerError
from retrainer.wiring import Application

STORY = "stories:\n- story: {name}\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
PARTS = Parts(
    nlu=NLU, rules=STORIES, domain=DOMAIN, config=CONFIG.format(pipeline=FAST_PIPELINE.strip())
)
JSON = (("Content-Type", "application/json"),)


def pull(url: str, token: str, into: Path, *parts: str) -> dict[str, str]:
    """The files of a pull."""
    options = {"url": url, "api_token": token, "timeout": 5.0, "parts": parts}
    into.mkdir()
    RasaXSource(RasaXSource.Options.model_validate(options)).pull(into)
    return {f.relative_to(into).as_posix(): f.read_text() for f in into.rglob("*") if f.is_file()}


@pytest.mark.parametrize("era", [X_2020, X_2021], ids=lambda era: era.name)
def test_rules_are_not_lost_in_silence(tmp_path: Path, era) -> None:
    """A server of Rasa 1 has no rules; one of later years that does not give them is not trusted."""
    with rasa_x(tmp_path / "server", era=era, parts=PARTS) as server, fault_proxy(server.url) as to:
        to.on("GET", "/rules$", Page(404, b"{}", JSON))
        if era is X_2020:
            assert pull(to.url, server.api_token, tmp_path / "into", "rules") == {}
        else:
            with pytest.raises(ServerError, match="/rules answered 404") as caught:
                pull(to.url, server.api_token, tmp_path / "into", "rules")
            assert "`parts`" in (caught.value.tip or "")


def test_an_export_of_another_kind_is_refused(tmp_path: Path) -> None:
    """With what to do: the part may come from git."""
    page = Page(200, b"## intent:greet\n- hello\n", (("Content-Type", "image/png"),))
    with rasa_x(tmp_path / "server", parts=PARTS) as server, fault_proxy(server.url) as to:
        to.on("GET", "/training_data$", page)
        with pytest.raises(ProjectError, match="answered with image/png, YAML, JSON or") as caught:
            pull(to.url, server.api_token, tmp_path / "into", "nlu")
        assert "git" in (caught.value.tip or "")


def test_the_order_of_a_list_makes_no_new_night(tmp_path: Path) -> None:
    """Stories and files of the domain are the same bytes, in whatever order they are listed."""
    lists = {
        "/stories$": [{"story": STORY.format(name=name)} for name in "ab"],
        "/domains$": [{"filename": n, "content_yaml": f"intents: [{n}]\n"} for n in "ab"],
    }
    pulled = []
    with rasa_x(tmp_path / "server", parts=PARTS) as server, fault_proxy(server.url) as to:
        for turn in (1, -1):
            for route, listed in lists.items():
                to.on("GET", route, Page(200, json.dumps(listed[::turn]).encode(), JSON))
            pulled.append(pull(to.url, server.api_token, tmp_path / f"{turn}", "stories", "domain"))
    assert pulled[0] == pulled[1]
    assert sorted(pulled[0]) == ["data/rasa_x/stories.yml", "domain/01.yml", "domain/02.yml"]


SEVERAL = """
[assistants.shop.sources.annotations]
type = "rasa_x"
url = "{url}"
api_token = "{token}"
parts = {parts}

[assistants.shop.sources.code]
type = "directory"
path = "own"
exclude = ["data/nlu.yml"]
"""


def several(tmp_path: Path, parts: list[str]) -> None:
    """Pull what a config file puts together of Rasa X and a folder."""
    write_project(tmp_path / "own")
    (tmp_path / "into").mkdir()
    with rasa_x(tmp_path / "server", parts=PARTS) as server:
        text = SEVERAL.format(url=server.url, token=server.api_token, parts=json.dumps(parts))
        (tmp_path / "retrainer.toml").write_text(text)
        source = Application.from_config(tmp_path / "retrainer.toml", {}).source("shop")
        origins = source.pull(tmp_path / "into")
        assert server.api_token not in repr(origins)
        assert [(o.source, o.place) for o in origins] == [
            ("annotations", server.url),
            ("code", str(tmp_path / "own")),
        ]


def test_a_config_puts_rasa_x_and_a_folder_together(tmp_path: Path) -> None:
    """NLU from Rasa X, everything else from a folder: one project, with the origin of each part."""
    several(tmp_path, ["nlu"])
    files = {
        p.relative_to(tmp_path / "into").as_posix() for p in (tmp_path / "into").rglob("*.yml")
    }
    assert files == {"config.yml", "domain.yml", "data/rules.yml", "data/rasa_x/nlu.yml"}


def test_a_part_of_two_sources_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """Neither wins by accident, and the message says where to leave it out."""
    with pytest.raises(
        ProjectError, match="comes from two sources, annotations and code"
    ) as caught:
        several(tmp_path, ["nlu", "domain"])
    assert "sources.code.exclude or parts" in (caught.value.tip or "")
