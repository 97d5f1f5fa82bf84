"""One cycle in the daemon: run, cut off, and what is said of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from retrainer.adapters.logs import context
from retrainer.daemon.backoff import Backoff
from retrainer.daemon.listener import LogListener
from retrainer.daemon.retries import Retries
from retrainer.errors import (
    CycleInterrupted,
    CyclePostponed,
    CycleRunning,
    LeaseLost,
    NothingToDo,
    RetrainerError,
)
from retrainer.pipeline.runner import run_cycle
from retrainer.pipeline.world import World
from retrainer.wiring import Application

_log = logging.getLogger(__name__)


@dataclass
class CycleRunner:
    """Makes the work that a crew does.

    `told` hears what each assistant's cycle is at, and None at its end; `at` is where that is kept.
    """

    owner: str
    stopping: Callable[[], bool]
    told: Callable[[str, str | None], None]
    at: dict[str, str | None] = field(default_factory=dict)
    retries: Retries = field(default_factory=Retries)

    def work(self, app: Application, name: str, backoff: Backoff) -> "CycleWork":
        """The assistant's next cycle, as this configuration has it."""
        return CycleWork(self, app, name, backoff)


class CycleWork:
    """One cycle of one assistant."""

    def __init__(self, runner: CycleRunner, app: Application, name: str, backoff: Backoff) -> None:
        self._runner, self._app, self._name, self._backoff = runner, app, name, backoff
        self._world: World | None = None

    def cancel(self) -> None:
        """Cut off what Rasa is at; the rest of the cycle looks at `stopping` by itself."""
        world = self._world
        if world is not None:
            world.rasa.cancel()

    def run(self) -> None:
        """Run it; whatever happens to one assistant leaves the others alone."""
        with context(assistant=self._name):
            try:
                self._run()
            except (NothingToDo, CycleRunning) as error:
                _log.debug("%s", error)  # somebody else was faster
            except (CyclePostponed, CycleInterrupted) as error:
                _log.info("%s", error)
            except LeaseLost as error:  # no reason to leave the assistant alone from now on
                _log.warning("%s", error, extra={"tip": error.tip})
            except RetrainerError as error:
                self._failed(_log.error, str(error), tip=error.tip)
            except Exception:  # noqa: BLE001 - a bug in one assistant's cycle must not end the others
                self._failed(
                    _log.exception,
                    "this is a bug in retrainer or a plugin, please report it",
                    tip=f"`retrainer pause {self._name}` leaves the assistant in peace until then",
                )
            else:
                self._backoff.worked(self._name)
            finally:
                self._runner.told(self._name, None)

    def _run(self) -> None:
        listener = LogListener(tell=partial(self._runner.told, self._name))
        app, runner = self._app, self._runner
        self._world = replace(app.world(self._name, listener), stopping=runner.stopping)
        lease = app.settings.daemon.lease
        report = run_cycle(self._world, owner=runner.owner, trigger=None, lease=lease)
        if (delay := runner.retries.ended(report, app.clock.monotonic())) is not None:
            _log.info(
                "cycle %d could not pull; it is tried again in %.0f s", report.cycle.number, delay
            )

    def _failed(self, log: Callable[..., None], problem: str, *, tip: str | None = None) -> None:
        delay = self._backoff.failed(self._name, self._app.clock.monotonic())
        log("%s; tried again in %.0f s", problem, delay, extra={"tip": tip})
