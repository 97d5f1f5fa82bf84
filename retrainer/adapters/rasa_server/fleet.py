"""Several Rasa servers that serve the same model: whether they can, and whether they really do.

Wherever the models are stored: the servers pull the model themselves, or are told to load it.
"""

import logging
import re
import secrets as randomness
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from retrainer.adapters.polling import polls
from retrainer.adapters.rasa_server.server import (
    LoadedModel,
    RasaServer,
    RasaVersion,
    ServerOptions,
    is_away,
)
from retrainer.domain.examples import MustPass
from retrainer.domain.must_pass import assess_must_pass
from retrainer.errors import PlatformError, PlatformNotReady, ServerError

_LOG = logging.getLogger(__name__)
#: Failed utterances that a message names.
_NAMED = 3
_ON_WITHOUT = (
    'start it again, or set `unreachable = "promote"` to promote without the servers that are down'
)

_Answer = TypeVar("_Answer")


class FleetOptions(BaseModel):
    """Options of every platform that asks Rasa servers."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    servers: tuple[ServerOptions, ...] = ()
    """The Rasa servers that serve the assistant."""

    server_token: SecretStr | None = Field(default=None, min_length=1)
    """What the servers were started with as `--auth-token`, unless one has its own `token`."""

    server_jwt_secret: SecretStr | None = Field(default=None, min_length=1)
    """The same for `--jwt-secret`, unless a server has its own `jwt_secret`."""

    unreachable: Literal["hold", "promote"] = "hold"
    """What a server that does not answer means: a person has to look, or the others go on."""

    confirm_within: float = Field(default=300.0, gt=0, le=86400, allow_inf_nan=False)
    """Seconds that a server gets to serve a promoted model, and again to answer all questions."""

    smoke: tuple[str, ...] = ()
    """Messages of a conversation with each server after a promotion; each must be answered."""

    timeout: float = Field(default=30.0, gt=0, le=3600, allow_inf_nan=False)
    """Seconds to wait for an answer."""

    @property
    def known_servers(self) -> tuple[ServerOptions, ...]:
        """The servers, each with who asks it."""
        return tuple(
            server.model_copy(
                update={
                    "token": server.token or self.server_token,
                    "jwt_secret": server.jwt_secret or self.server_jwt_secret,
                }
            )
            for server in self.servers
        )


@dataclass(frozen=True, slots=True)
class WantedModel:
    """The model that servers have to serve; `id` is the `model_id` that Rasa gave it."""

    name: str
    id: str
    file: str

    def is_in(self, loaded: LoadedModel | None) -> bool:
        """Whether it is the loaded one; by its file where a server does not know of ids."""
        if loaded is None:
            return False
        return loaded.id == self.id if loaded.id else loaded.file == self.file


class Fleet:
    """Rasa servers. `verify` and `secrets` are as for `RasaServer`."""

    def __init__(
        self, options: FleetOptions, *, verify: bool | str = True, secrets: Collection[str] = ()
    ) -> None:
        self._options = options
        self._servers = tuple(
            RasaServer(server, timeout=options.timeout, verify=verify, secrets=secrets)
            for server in options.known_servers
        )
        #: The servers that did not answer when they were last asked whether they are ready; before
        #: that, as after a crash, any may be away.
        self._away = frozenset(self._servers)

    def require_ready(self, rasa_version: str) -> None:
        """Make sure that a model of this version of Rasa could be served now; changes nothing.

        Raises:
            PlatformNotReady: it could not, and why, for each server.
        """
        problems: list[str] = []
        tips: list[str | None] = []
        away: dict[RasaServer, ServerError] = {}
        for server in self._servers:
            try:
                server.status()
                problem = _incompatible(server, server.version(), rasa_version)
            except ServerError as error:
                if is_away(error):
                    away[server] = error
                    continue
                problem, tip = str(error), error.tip
            else:
                tip = "point `rasa.python` at an interpreter that has the Rasa of the servers"
            if problem:
                problems.append(problem)
                tips.append(tip)
        if away and (self._options.unreachable == "hold" or len(away) == len(self._servers)):
            problems += map(str, away.values())
            tips.append(_ON_WITHOUT if len(away) < len(self._servers) else None)
        if problems:
            tip = next(filter(None, tips), "start the servers, or correct `servers`")
            raise PlatformNotReady("; ".join(problems), tip=tip)
        self._away = frozenset(away)

    def confirm(
        self,
        model: WantedModel,
        *,
        must_pass: Sequence[MustPass] = (),
        load: Mapping[str, object] | None = None,
        tip: str | None = None,
    ) -> None:
        """Make sure that each server serves this model, answers and understands.

        One server after the other, so that a model that is no good reaches one of them only if
        they are told to load it: with `load`, the body of `PUT /model`. Without it they have to get
        it by themselves; `tip` says how.

        Raises:
            PlatformError: a server does not; which one, what was seen and what was expected.
        """
        away: list[str] = []
        for server in self._servers:
            if problem := self._still_away(server):
                away.append(problem)
                continue
            if load is not None and not self._serves(server, model):
                self._load(server, model, load)
            self._wait(server, model, tip, told=load is not None)
            self._ask(server, model, must_pass)
        if away and len(away) == len(self._servers):
            raise PlatformError(f"no server could be asked for {model.name}: {'; '.join(away)}")
        for problem in away:
            _LOG.warning("%s is promoted without a server that is down: %s", model.name, problem)

    def _still_away(self, server: RasaServer) -> str | None:
        """Why a server cannot be asked that was away before, where that may be; else None.

        What went away since the promotion has the promoted model to blame.
        """
        if self._options.unreachable == "hold" or server not in self._away:
            return None
        try:
            server.status()
        except ServerError as error:
            return str(error) if is_away(error) else None
        return None

    def _serves(self, server: RasaServer, model: WantedModel) -> bool:
        try:
            return model.is_in(server.status())
        except ServerError as error:
            if not is_away(error):
                raise
            return False  # it may be busy with loading one

    def _load(self, server: RasaServer, model: WantedModel, load: Mapping[str, object]) -> None:
        try:
            server.load(load, limit=self._options.confirm_within)
        except ServerError as error:
            raise ServerError(
                f"{server} did not load {model.name}: {error}",
                tip=error.tip or "the log of that server says why; can it read the model there?",
                status=error.status,
            ) from None

    def _wait(self, server: RasaServer, model: WantedModel, tip: str | None, *, told: bool) -> None:
        """Wait until it serves the model; it may not answer while it loads one."""
        seen = ""
        for _ in polls(self._options.confirm_within):
            try:
                loaded = server.status()
            except ServerError as error:
                if not is_away(error):
                    raise
                seen = f"did not answer ({error})"
            else:
                if model.is_in(loaded):
                    return
                seen = f"serves {loaded or 'no model'}"
        why = ""
        if told:
            why = (
                ". It took PUT /model: if its endpoints.yml has a `models:` of its own, that wins "
                "over what it is told"
            )
            tip = tip or (
                'remove `models:` from the endpoints.yml of that server, or set activation = "pull" '
                "and let it lead to this registry"
            )
        raise PlatformError(
            f"{server} {seen} after {self._options.confirm_within:g} s, {model.name} "
            f"(model_id {model.id}) was expected{why}",
            tip=tip,
        )

    def _ask(self, server: RasaServer, model: WantedModel, must_pass: Sequence[MustPass]) -> None:
        """The smoke conversation and the must-pass utterances; then it must still be this model."""
        questions = _Questions(server, self._options.confirm_within, self._options.timeout)
        sender = f"retrainer-{randomness.token_hex(8)}"
        for message in self._options.smoke:
            said = questions.ask(partial(server.converse, sender, message))
            if not said:
                raise PlatformError(
                    f"{server} with {model.name} gave no answer to the smoke message {message!r}, "
                    "at least one message was expected",
                    tip="is its action server up? its log says what happened",
                )
        failed: list[str] = []
        for must in must_pass:
            text = must.example.text
            answer = questions.ask(partial(server.parse, text))
            if problem := assess_must_pass(must, answer).problem:
                failed.append(f"{text!r}: {problem}")
        if failed:
            more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
            raise PlatformError(
                f"{server} fails {len(failed)} of the {len(must_pass)} must-pass utterances that "
                f"{model.name} passed when it was evaluated: {'; '.join(failed[:_NAMED])}{more}",
                tip="does that server run the same version of Rasa, with the same custom components?",
            )
        if not model.is_in(loaded := server.status()):
            raise PlatformError(
                f"{server} served {model.name} and then {loaded or 'no model'} again",
                tip="is this the address of one server? a load balancer in front of several hides "
                "which of them answers",
            )


class _Questions:
    """Questions to one server that must all be answered within `seconds`, each within `limit`."""

    def __init__(self, server: RasaServer, seconds: float, limit: float) -> None:
        self._server, self._seconds, self._limit = server, seconds, limit
        self._end, self._asked = time.monotonic() + seconds, 0

    def ask(self, question: Callable[..., _Answer]) -> _Answer:
        left = self._end - time.monotonic()
        if left <= 0:
            raise PlatformError(
                f"{self._server} answered {self._asked} questions in {self._seconds:g} s, "
                "and there are more",
                tip="raise `confirm_within`, or ask for fewer must-pass utterances",
            )
        self._asked += 1
        return question(limit=min(self._limit, left))


def _incompatible(server: RasaServer, found: RasaVersion, rasa_version: str) -> str | None:
    """Why it does not load models of this version; None if it does."""
    if _numbers(found.version)[:2] != _numbers(rasa_version)[:2]:
        return f"{server} is Rasa {found.version}, it is to serve a model of Rasa {rasa_version}"
    if found.minimum and _numbers(rasa_version) < _numbers(found.minimum):
        return (
            f"{server} is Rasa {found.version} and loads models of {found.minimum} or newer, "
            f"it is to serve one of {rasa_version}"
        )
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
