"""`make demo-servers`: two live Rasa servers follow a promotion and a rollback, with no restart.

retrainer keeps the models and serves them (`retrainer serve-models`); the servers pull from there.
"""

import argparse
import re
from contextlib import ExitStack
from pathlib import Path

import requests
from stage import Stage, demonstrate, rasa_interpreter
from support.rasa_run import RasaServer, pulling, rasa_server
from support.waiting import wait_until

_TOKEN = "a-long-random-word"
_CONFIG = """\
[assistants.shop]
must_pass = ["must_pass.yml"]
source = {{ type = "directory", path = "project" }}

[assistants.shop.platform]
type = "rasa_server"
servers = [{servers}]
smoke = ["hello"]

[http]
port = 0

[policies.default]
good_enough = {{ rule = "floor", metric = "f1_weighted", minimum = 0.6 }}
better = {{ rule = "simple", metric = "f1_weighted", more_than = 0.0 }}
must_pass = {{ rule = "must_pass" }}
intents = {{ rule = "per_intent", margin = 0.10, minimum_support = 10 }}
"""
_QUESTION = "where is my parcel"


def main() -> None:
    """Play it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    stage = Stage(parser.parse_args().folder, {"RETRAINER_HTTP__TOKEN": _TOKEN})
    stage.annotate(1, stage.folder / "project")
    stage.configure(_CONFIG.format(servers='{ url = "http://127.0.0.1:1" }'))
    stage.title("A model server, and two Rasa servers that pull from it")
    with stage.running("serve-models"), ExitStack() as stack:
        address = _address(stage.folder / "serve-models.log")
        endpoints = pulling(f"{address}/models/shop/champion", token=_TOKEN, every=2)
        folders = [stage.folder / "server-1", stage.folder / "server-2"]
        live = [
            stack.enter_context(rasa_server(rasa_interpreter(), folder, endpoints=endpoints))
            for folder in folders
        ]
        servers = ", ".join(f'{{ url = "{server.url}" }}' for server in live)
        stage.configure(_CONFIG.format(servers=servers))
        _play(stage, live)


def _play(stage: Stage, live: list[RasaServer]) -> None:
    stage.title("The first model: trained, promoted, and confirmed at both servers")
    stage.retrainer("run-once")
    first = _show(stage, live)
    stage.title("Better data: a promotion. Both servers follow; nobody restarts them")
    stage.annotate(2, stage.folder / "project")
    stage.retrainer("run-once")
    second = _show(stage, live)
    stage.require(first != second, expected=True, what="the servers follow the promotion")
    stage.title("A rollback: both servers go back")
    stage.retrainer("rollback", "--reason", "to show it")
    stage.require(_show(stage, live), first, "the servers follow the rollback")
    stage.retrainer("ledger")


def _address(log: Path) -> str:
    """Where the model server listens, as it says itself."""
    wait_until(lambda: "listening at" in log.read_text(encoding="utf-8"), seconds=60)
    found = re.search(r"listening at (\S+)", log.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _show(stage: Stage, live: list[RasaServer]) -> str:
    """What both servers say now; returns the model that they have."""
    seen = set()
    for server in live:
        model = server.status()["model_file"]
        seen.add(model)
        body = {"text": _QUESTION}
        answer = requests.post(f"{server.url}/model/parse", json=body, timeout=30).json()["intent"]
        said = f"{_QUESTION!r}: {answer['name']} {answer['confidence']:.2f}"
        stage.say(f"  {server.url}  {model}  {said}")
    stage.require(len(seen), 1, "both servers have the same model, so their number of models")
    return str(seen.pop())


if __name__ == "__main__":
    demonstrate(main)
