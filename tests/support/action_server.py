"""A real action server of the Rasa SDK, in a process group of its own, until the block ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from support.rasa_run import free_port
from support.waiting import wait_until

from retrainer.adapters.processes import kill_group, start

_ACTION = """
class {kind}({base}):
    def name(self):
        return "{name}"

    def run(self, dispatcher, tracker, domain):
        return []
"""
_ACTIONS = (
    "from rasa_sdk import Action, FormValidationAction\n"
    + _ACTION.format(kind="Pay", base="Action", name="action_pay")
    + _ACTION.format(kind="Form", base="FormValidationAction", name="validate_form")
)


@contextmanager
def action_server(python: Path, folder: Path) -> Iterator[str]:
    """Its address; it runs `action_pay` and `validate_form`. It takes 3 s to start.

    Raises:
        TimeoutError: it does not answer within a minute.
    """
    (folder / "shop_actions.py").write_text(_ACTIONS)
    port = free_port()
    command = [str(python), "-m", "rasa_sdk", "--port", str(port), "--actions", "shop_actions"]
    environment = {"PYTHONPATH": str(folder), "SANIC_HOST": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
    with (folder / "actions.log").open("wb") as out:
        process = start(command, environment=environment, folder=folder, out=out, errors=out)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/health", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        wait_until(answers, seconds=60)
        yield url
    finally:
        kill_group(process)
