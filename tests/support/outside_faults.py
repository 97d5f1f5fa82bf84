"""Faults of what lies outside: Rasa X, Slack and git, each behind a proxy that fails for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from support.fault_proxy import Fault as Answer
from support.fault_proxy import FaultProxy, Hung, Page, fault_proxy
from support.fault_scenes import Scene, scene
from support.fault_suffering import Fault
from support.git_servers import GitHttp, Upstream, isolate
from support.rasa_x import rasa_x
from support.waiting import wait_until
from support.worlds import MUST_PASS, utterances

from retrainer.domain.cycle import Status
from retrainer.store.tables import requests
from retrainer.testing.rasa import write_project

#: How a server fails, by the words for it; None: its name does not resolve.
WAYS: dict[str, Answer | None] = {
    "answers 500": Page(500),
    "hangs": Hung(),
    "answers garbage": Page(200, b"\xff\xfe\x00 not what was asked for"),
    "cannot be found by its name": None,
}
_NOWHERE = "http://nowhere.invalid"
_ASSISTANT = """
[assistants.shop]
must_pass = ["must_pass.json"]
policy = "easy"
source = {{ type = "git", url = "{url}/shop.git", timeout = 3.0, include = ["*.json", "*.yml", "data/*"] }}
"""
_RASA_X = """
[assistants.shop.platform]
type = "rasa_x"
url = "{url}"
api_token = "{token}"
timeout = 2.0
transfer_timeout = 3.0
listing_timeout = 2.0
ready_timeout = 1.0
evaluate = false
"""
#: Seconds after which a pull is tried again, and a notifier at the latest.
_PULLED_AGAIN, _TOLD_AGAIN = 301.0, 3700.0


def names(server: str) -> tuple[str, ...]:
    """The faults of a server."""
    return tuple(f"{server} {way}" for way in WAYS)


@contextmanager
def slack_and_git(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    """A daemon that pulls from git and tells by Slack, and what both may do."""
    environment = isolate(folder / "home")
    upstream = Upstream(folder / "git", "shop", environment)
    with ExitStack() as servers:
        git = servers.enter_context(GitHttp(upstream.folder, environment, protected=False))
        git_proxy = servers.enter_context(fault_proxy(git.url))
        slack_proxies: list[FaultProxy] = []

        def webhook(url: str) -> str:
            slack_proxies.append(servers.enter_context(fault_proxy(url)))
            return slack_proxies[0].url

        def bring(examples: int) -> None:
            write_project(upstream.clone, utterances(examples), MUST_PASS)
            upstream.commit({})

        it = servers.enter_context(
            scene(
                folder,
                training_seconds=1.5,
                webhook=webhook,
                bring=bring,
                environment=environment,
                assistants=(),
                general=_ASSISTANT.format(url=git_proxy.url),
            )
        )
        faults = _faults("Slack", slack_proxies[0], "will be tried again", _tell_again)
        yield it, faults + _faults("git", git_proxy, "FAILED in step", _pull_again)


@contextmanager
def rasa_x_platform(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    """A daemon whose models live in a Rasa X, and what that may do."""
    with rasa_x(folder / "rasa-x") as server, fault_proxy(server.url) as proxy:
        more = _RASA_X.format(url=proxy.url, token=server.api_token)
        with scene(folder / "home", training_seconds=1.5, more=more) as it:
            yield it, _faults("Rasa X", proxy, "FAILED", Scene.ask)


def _faults(
    server: str, proxy: FaultProxy, said: str, ended: Callable[[Scene], None]
) -> tuple[Fault, ...]:
    return tuple(
        Fault(
            f"{server} {way}",
            partial(_lost, proxy) if answer is None else partial(_fails, proxy, answer),
            said,
            "at last" if server == "Slack" else "",
            ended=ended,
            status=0 if isinstance(answer, Hung) else None,
            allowed=() if server == "Slack" else (Status.FAILED,),
        )
        for way, answer in WAYS.items()
    )


@contextmanager
def _fails(proxy: FaultProxy, answer: Answer, _: Scene) -> Iterator[None]:
    proxy.on("*", "", answer)
    yield
    proxy.clear()


@contextmanager
def _lost(proxy: FaultProxy, it: Scene) -> Iterator[None]:
    """The configuration names a host that nobody knows."""
    text = it.home.config.read_text()
    for written in (text.replace(proxy.url, _NOWHERE), text):
        it.home.config.write_text(written)
        it.reload()
        if written != text:
            yield


def _tell_again(it: Scene) -> None:
    it.clock.pass_time(_TOLD_AGAIN)


def _pull_again(it: Scene) -> None:
    """The daemon asks by itself for the cycle that could not pull."""
    before = _retries(it)
    it.settle()
    it.clock.pass_time(_PULLED_AGAIN)
    wait_until(lambda: _retries(it) > before, seconds=30)


def _retries(it: Scene) -> int:
    with it.reading() as connection:
        made = sa.select(sa.func.count()).where(requests.c.asked_by == "retrainer")
        return int(connection.scalar(made) or 0)
