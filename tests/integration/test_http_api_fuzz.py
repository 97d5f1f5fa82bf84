"""The API against its own description: generated requests, good and bad, to a real server."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis import engine
from schemathesis.engine import events
from support.http_side import (
    APPROVE,
    SECRET,
    TOKENS,
    HttpSide,
    HurryingClock,
    held,
    http_side,
    run_cycle,
)

SEED = 20261121
#: Generated requests for each operation and kind of test.
EXAMPLES = 15


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpSide]:
    """A server with cycles of both assistants, one of them held, and every kind of token."""
    hook = f'hook_secret = "{SECRET}"\n'
    with http_side(tmp_path_factory.mktemp("fuzz"), hook + TOKENS, HurryingClock()) as running:
        run_cycle(running.app)
        held(running.app)
        run_cycle(running.app, "bank")
        yield running


def fuzz(server: HttpSide, **options: Any) -> tuple[list[str], Counter[str]]:
    """What the checks found, each once, and how many requests each operation got."""
    settings = {
        "seed": SEED,
        "continue-on-failure": True,
        "headers": {"Authorization": f"Bearer {APPROVE}"},
        "request-timeout": 10,
        "generation": {"deterministic": True, "max-examples": EXAMPLES, "database": "none"},
        "phases": {"stateful": {"enabled": False}},
    }
    config = schemathesis.Config.from_dict(settings | options)
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json", config=config)
    found: dict[str, None] = {}
    requests: Counter[str] = Counter()
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found[str(getattr(event, "info", event))] = None
        if isinstance(event, events.ScenarioFinished):
            requests[event.label or ""] += len(event.recorder.cases)
            for checks in event.recorder.checks.values():
                for check in checks:
                    if check.failure_info is not None:
                        failure = check.failure_info
                        found[
                            f"{event.label} {check.name}: {failure.failure}\n{failure.code_sample}"
                        ] = None
    return list(found), requests


@pytest.mark.parametrize(
    "options",
    [{}, {"parameters": {"path.name": "shop", "path.number": 2, "path.cycle": "2"}}],
    ids=["anything", "what-is-there"],
)
def test_the_api_is_as_it_is_described(server, options):
    """No request makes it fail; each answer has a described status, type and form, and auth holds."""
    problems, requests = fuzz(server, **options)
    assert "\n\n".join(problems) == ""
    described = server.ask("/openapi.json").json()["paths"]
    assert len(described) > 10
    for path, operations in described.items():
        for method in operations:
            assert requests[f"{method.upper()} {path}"] >= 3
    assert server.ask("/healthz").json()["status"] == "ok"
