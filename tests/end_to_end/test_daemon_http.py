"""A real daemon, asked and told by HTTP."""

import signal
from pathlib import Path

import pytest
import requests
from support.daemons import Household, daemon
from support.http_side import APPROVE, SECRET, TOKENS, free_port
from support.waiting import wait_until

pytestmark = pytest.mark.end_to_end
TIMEOUT = 20


def test_a_cycle_is_asked_for_watched_and_counted(tmp_path: Path):
    """From the trigger to the model that Rasa servers pull, with no secret in the log."""
    port = free_port()
    http = f'[http]\nenabled = true\nport = {port}\nhook_secret = "{SECRET}"\n{TOKENS}'
    household = Household(tmp_path, general=http)
    client = requests.Session()
    client.headers["Authorization"] = f"Bearer {APPROVE}"

    def get(path: str) -> requests.Response:
        return client.get(f"http://127.0.0.1:{port}{path}", timeout=TIMEOUT)

    with client, daemon(household) as process:
        process.wait_for(f"listening at http://127.0.0.1:{port}")
        wait_until(lambda: get("/readyz").status_code == 200, seconds=TIMEOUT)
        assert get("/metrics").status_code == 200
        trigger = f"http://127.0.0.1:{port}/api/v1/assistants/shop/trigger"
        asked = client.post(trigger, json={"note": "by a test"}, timeout=TIMEOUT).json()

        def answered() -> bool:
            return get(f"/api/v1/requests/{asked['number']}").json()["cycle"] is not None

        wait_until(answered, seconds=TIMEOUT)
        wait_until(lambda: get("/api/v1/cycles/1").json()["result"] == "PROMOTED", seconds=TIMEOUT)
        champion = get("/api/v1/assistants/shop").json()["champion"]["to"]
        model = get("/models/shop/champion")
        assert (model.status_code, model.headers["filename"]) == (200, f"{champion}.tar.gz")
        line = 'retrainer_cycles_total{assistant="shop",status="completed",verdict="promote"} 1.0'
        wait_until(lambda: line in get("/metrics").text, seconds=TIMEOUT)
        process.signal(signal.SIGHUP)
        process.wait_for("was read again")
        assert get("/healthz").json()["status"] == "ok"
        assert process.stop() == 0
        log = process.log.read_text()
    assert APPROVE not in log
    assert SECRET not in log
    assert "Traceback" not in log


def test_a_port_that_is_taken_ends_it_at_the_start(tmp_path: Path):
    """The exit code is that of a wrong configuration, and no cycle was begun."""
    port = free_port()
    household = Household(tmp_path, general=f"[http]\nenabled = true\nport = {port}\n")
    with daemon(household) as first:
        first.wait_for("listening at")
        with daemon(household) as second:
            assert second.process.wait(TIMEOUT) != 0
            assert second.said("Address already in use")
