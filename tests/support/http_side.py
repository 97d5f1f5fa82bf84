"""The HTTP side of a daemon on loopback: with a stand-in for the daemon, and a real database."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import requests
from contract.run_store_contract import DECIDED, EVALUATION, MODEL, begin, run_step
from support.archives import write_model

from retrainer.adapters.clock import SystemClock
from retrainer.domain.cycle import State, Status
from retrainer.domain.verdict import Check, Outcome, Verdict
from retrainer.ports import Clock, CycleReport
from retrainer.store import history
from retrainer.store.owner import current_owner
from retrainer.web import beside
from retrainer.wiring import Application

READ, TRIGGER, APPROVE = ("a-long-token-to-read", "a-long-token-to-ask", "a-long-token-to-approve")
SECRET = "a long secret of the git server"
#: Tokens with one scope each, and one with all.
TOKENS = f"""
[http.tokens.reader]
token = "{READ}"
[http.tokens.pipeline]
token = "{TRIGGER}"
scopes = ["trigger"]
[http.tokens.ada]
token = "{APPROVE}"
scopes = ["read", "trigger", "approve"]
"""
CONFIG = """
state_dir = "state"
[assistants.shop]
source = {{ type = "git", url = "https://git.example/shop.git", revision = "live" }}
schedule = {{ cron = "0 3 * * *" }}
[assistants.bank]
source = {{ type = "directory", path = "bank" }}
[http]
port = {port}
{http}
"""
TIMEOUT = 20


@dataclass(frozen=True)
class Health:
    """How the stand-in is."""

    owner: str
    looked_at: datetime | None
    problem: str | None = None
    leader: str | None = None
    standby: bool = False


@dataclass
class Daemon:
    """A daemon that does nothing but be asked."""

    application: Application
    health: Health
    woken: int = 0

    def wake(self) -> None:
        """Count it."""
        self.woken += 1


@dataclass
class HttpSide:
    """A server, and what it serves."""

    app: Application
    daemon: Daemon
    address: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, path: str, method: str = "GET", **options) -> requests.Response:
        """One request, with the token of this view if it has one."""
        options["headers"] = {**self.headers, **options.get("headers", {})}
        return requests.request(
            method, self.address + path, timeout=TIMEOUT, allow_redirects=False, **options
        )

    def of(self, token: str) -> "HttpSide":
        """The same server for somebody with that token."""
        return replace(self, headers={"Authorization": f"Bearer {token}"})

    def look(self, **health) -> None:
        """Change how the daemon is."""
        self.daemon.health = replace(self.daemon.health, **health)


class HurryingClock(SystemClock):
    """A clock on which a long time passes between any two looks: no wrong token counts for long."""

    def __init__(self) -> None:
        self._hours = count()

    def monotonic(self) -> float:
        """Seconds, an hour more each time."""
        return 3600.0 * next(self._hours)


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def application(folder: Path, http: str = "", port: int | None = None) -> Application:
    """Two assistants, configured with these lines in [http]."""
    config = folder / "retrainer.toml"
    config.write_text(CONFIG.format(port=free_port() if port is None else port, http=http))
    (folder / "bank").mkdir(exist_ok=True)
    return Application.from_config(config, {})


@contextmanager
def http_side(folder: Path, http: str = "", clock: Clock | None = None) -> Iterator[HttpSide]:
    """A running server, on a clock of the test's if it has one."""
    app = application(folder, http)
    if clock is not None:
        vars(app)["clock"] = clock  # where the cached property keeps it
    app.engine  # noqa: B018 - makes the database, as a daemon has before
    owner = current_owner()
    daemon = Daemon(app, Health(owner, datetime.now(UTC), leader=owner))
    try:
        with beside(app, daemon):
            yield HttpSide(app, daemon, f"http://127.0.0.1:{app.settings.http.port}")
    finally:
        app.engine.dispose()


def run_cycle(app: Application, assistant: str = "shop", **changes) -> CycleReport:
    """A cycle on record that trained a model, which is in the registry; `changes` are of its state.

    The clock is the real one, so the model is named after now.
    """
    status = changes.pop("status", Status.COMPLETED)
    dry_run = changes.pop("dry_run", False)
    lease = begin(app.store, assistant, dry_run=dry_run)
    name = lease.cycle.challenger
    model, archive = write_model(app.state_dir, name)
    app.platform(assistant).upload(model, archive)
    evaluation = replace(
        EVALUATION, challenger=replace(EVALUATION.challenger, model=name), champion=None
    )
    made = {"model": replace(MODEL, name=name), "champion": None, "evaluation": evaluation}
    state = replace(DECIDED, **(made | changes))
    run_step(app.store, lease, "pull", State(), state)
    return app.store.finish(lease, status, notifiers=())


def held(app: Application, assistant: str = "shop", **changes) -> CycleReport:
    """A cycle that waits for a person."""
    unclear = Check("gain", Outcome.HOLD, "0.9 is unclear", 0.9, 0.8)
    verdict = Verdict(Outcome.HOLD, "default", (unclear,))
    return run_cycle(app, assistant, **({"verdict": verdict} | changes))


def report(app: Application, number: int) -> history.CycleDetails:
    """What is recorded of the cycle."""
    return history.get(app.engine, str(number))


#: Longer than the daemon may be silent.
LONG = timedelta(minutes=10)
