"""`make demo-rasa-x`: three nights of an assistant whose data and models live in Rasa X.

Rasa X itself cannot be had any more, so a test double speaks for it (`tests/support/rasa_x`), as
faithful as what is published about its API. All else is real: the training, the evaluations, and
the Rasa server that pulls its model from Rasa X and answers users.
"""

import argparse
from pathlib import Path

import requests
import yaml
from stage import Stage, demonstrate, rasa_interpreter
from support.rasa_run import RasaServer, pulling, rasa_server
from support.rasa_x import ERAS, Era, Parts, RasaXServer, rasa_x
from support.waiting import wait_until

from retrainer.adapters.rasa_client import RasaClient

#: What Rasa X gives, and what comes from a folder: Rasa 3 reads none of the older formats.
_EVERYTHING = "annotations = {{ type = 'rasa_x', url = '{url}', era = '{era}' }}"
_NLU = "annotations = {{ type = 'rasa_x', url = '{url}', era = '{era}', parts = ['nlu'] }}"
_FOLDER = "code = {{ type = 'directory', path = 'project', include = {include} }}"
_CONFIG = """\
[assistants.shop]
must_pass = ["must_pass.yml"]

[assistants.shop.sources]
{sources}

[assistants.shop.platform]
type = "rasa_x"
url = "{url}"
era = "{era}"
tag = "{tag}"
servers = [{{ url = "{rasa}" }}]

[policies.default]
good_enough = {{ rule = "floor", metric = "f1_weighted", minimum = 0.6 }}
better = {{ rule = "simple", metric = "f1_weighted", more_than = 0.0 }}
must_pass = {{ rule = "must_pass" }}
intents = {{ rule = "per_intent", margin = 0.10, minimum_support = 10 }}
platform = {{ rule = "platform_gain", blocking = false }}
"""
_QUESTION = "where is my parcel"


def main() -> None:
    """Play the nights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--era", default="2021", choices=[era.name for era in ERAS])
    arguments = parser.parse_args()
    era = next(era for era in ERAS if era.name == arguments.era)
    stage = Stage(
        arguments.folder,
        {
            "RETRAINER_ASSISTANTS__SHOP__SOURCES__ANNOTATIONS__API_TOKEN": RasaXServer.api_token,
            "RETRAINER_ASSISTANTS__SHOP__PLATFORM__API_TOKEN": RasaXServer.api_token,
        },
    )
    python = rasa_interpreter()
    own = stage.folder / "rasa-x"
    with (
        RasaClient(python=python, cache=own / "cache", log=own / "rasa.log") as rasa,
        rasa_x(own, era=era, rasa=rasa) as server,
    ):
        stage.title(f"Rasa X of {era.name} at {server.url}, and a Rasa server that pulls from it")
        models = "models/nlu" if era.separate_models else "models"
        address = f"{server.url}/api/projects/default/{models}/tags/{era.active_tag}"
        endpoints = pulling(address, token=server.service_token, every=2)
        with rasa_server(python, stage.folder / "server", endpoints=endpoints) as live:
            _play(stage, era, server, live)


def _play(stage: Stage, era: Era, server: RasaXServer, live: RasaServer) -> None:
    project = stage.folder / "project"
    modern = "new" in era.names
    include = '["must_pass.yml"]'
    if not modern:
        include = (
            '["config.yml", "domain.yml", "data/rules.yml", "data/stories.yml", "must_pass.yml"]'
        )
    source = (_EVERYTHING if modern else _NLU).format(url=server.url, era=era.name)
    stage.configure(
        _CONFIG.format(
            sources=f"{source}\n{_FOLDER.format(include=include)}",
            url=server.url,
            era=era.name,
            tag=era.active_tag,
            rasa=live.url,
        )
    )
    nights = (
        ("Night 1: the first model. It is trained on what Rasa X holds.", True),
        ("Night 2: the annotators were busy in Rasa X. The new model is better.", True),
        ("Night 3: wrong labels. The champion goes on serving.", False),
    )
    tagged = ""
    for night, (what, promoted) in enumerate(nights, start=1):
        stage.title(what)
        stage.annotate(night, project)
        server.put(_parts(project))
        stage.retrainer("run-once", "--exit-code", code=0 if promoted else 10)
        before, tagged = tagged, _tagged(server, era)
        stage.require(tagged != before, promoted, f"the tag {era.active_tag} moved")
        _show(stage, live, tagged)
    stage.retrainer("history")
    stage.retrainer("show", "2")
    stage.title("Back to the first model: the tag moves back, and the server follows")
    stage.retrainer("rollback", "--reason", "to show it")
    _show(stage, live, _tagged(server, era))


def _parts(project: Path) -> Parts:
    """The project as Rasa X stores it: all its NLU data in one piece."""
    nlu: list[object] = []
    for file in sorted(project.glob("data/**/*.yml")):
        nlu += yaml.safe_load(file.read_text(encoding="utf-8")).get("nlu") or []

    def text(name: str) -> str:
        return (project / name).read_text(encoding="utf-8")

    return Parts(
        nlu=yaml.safe_dump({"version": "3.1", "nlu": nlu}, allow_unicode=True, sort_keys=False),
        stories=text("data/stories.yml"),
        rules=text("data/rules.yml"),
        domain=text("domain.yml"),
        config=text("config.yml"),
    )


def _tagged(server: RasaXServer, era: Era) -> str:
    (name,) = [name for name, tags in server.tags().items() if era.active_tag in tags]
    return name


def _show(stage: Stage, live: RasaServer, model: str) -> None:
    """What the Rasa server says now."""
    wait_until(lambda: live.status().get("model_file") == f"{model}.tar.gz", seconds=60)
    answer = requests.post(f"{live.url}/model/parse", json={"text": _QUESTION}, timeout=30).json()[
        "intent"
    ]
    stage.say(f"In Rasa X the tag is on {model}. The Rasa server at {live.url} says:")
    stage.say(f"  GET /status         {live.status()['model_file']}")
    stage.say(f"  POST /model/parse   {_QUESTION!r}: {answer['name']} {answer['confidence']:.2f}")


if __name__ == "__main__":
    demonstrate(main)
