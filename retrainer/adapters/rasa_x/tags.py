"""The tag that says which model serves."""

from collections.abc import Mapping
from contextlib import suppress

from retrainer.adapters.polling import polls
from retrainer.adapters.rasa_x.connection import MODELS_OF_2018, NOT_FOUND, RasaX
from retrainer.adapters.rasa_x.health import health
from retrainer.adapters.rasa_x.listing import Entry, entries, require_listed
from retrainer.adapters.rasa_x.model_transfer import GATEWAY
from retrainer.errors import (
    ChampionMoved,
    OutcomeUnknown,
    PlatformError,
    PlatformNotReady,
    ServerError,
)

#: What Rasa X itself tags a model with while it evaluates it.
EVALUATION = "evaluation"
#: The tag by which the Platform of 2018 shows which model serves.
_ACTIVE = "active"


class ServingTag:
    """The tag `name` of a server; in 2018 the one that it sets, while `active` shows who serves.

    The list has to show a tag that was moved after `shown` seconds.
    """

    def __init__(self, rasa_x: RasaX, name: str, *, shown: float) -> None:
        self._rasa_x, self._name, self._shown = rasa_x, name, shown

    @property
    def _of_2018(self) -> bool:
        return self._rasa_x.models_route == MODELS_OF_2018

    def holder(self, listed: Mapping[str, Entry]) -> str | None:
        """The model that serves; None if none has the tag.

        Raises:
            PlatformError: several have it.
        """
        for tag in (_ACTIVE, self._name) if self._of_2018 else (self._name,):
            names = sorted(entry.name for entry in listed.values() if tag in entry.tags)
            if len(names) > 1:
                raise PlatformError(
                    f"{len(names)} models at {self._rasa_x.options.root} have the tag {tag!r}, "
                    f"one may: {', '.join(names)}",
                    tip="take the tag off all but one of them in Rasa X",
                )
            if names:
                return names[0]
        return None

    def give(self, name: str, *, expected: str | None, wait: float) -> None:
        """Move the tag from `expected` to a listed model; waits while no Rasa server is connected.

        Rasa X has no compare-and-swap: what others do is read right before, and again after.

        Raises:
            ModelNotFound: the model was deleted meanwhile.
            ChampionMoved: neither has it.
            PlatformNotReady: the Rasa server does not take the model; nothing changed.
            OutcomeUnknown: no answer, and the list does not show it either.
            PlatformError: it has the tag not, or not alone.
        """
        hindrance: str | None = None
        for _ in polls(wait):
            hindrance = health(self._rasa_x).hindrance
            if self.require_expected(entries(self._rasa_x), name, expected) == name:
                return
            refusal = self._put(name, self._name)
            if refusal is None:
                self._require_moved(name)
                return
            if hindrance is None:
                require_listed(self._rasa_x, entries(self._rasa_x), name)  # 404 says that, too
                raise PlatformNotReady(
                    f"Rasa X did not give {name} the tag {self._name!r}: {refusal}",
                    tip="its Rasa server loads other versions: train with the Rasa of that server",
                )
        raise PlatformNotReady(
            f"Rasa X did not give {name} the tag {self._name!r} within {wait:g} s: {hindrance}",
            tip=f"see {self._rasa_x.options.root}/api/health",
        )

    def require_expected(
        self, listed: Mapping[str, Entry], name: str, expected: str | None
    ) -> str | None:
        """The model that serves, which is one of these two.

        Raises:
            ModelNotFound: `name` is not listed.
            ChampionMoved: another serves.
            PlatformError: several do.
        """
        require_listed(self._rasa_x, listed, name)
        active = self.holder(listed)
        if active not in (name, expected):
            raise ChampionMoved(
                f"{active or 'no model'} is active at {self._rasa_x.options.root}, "
                f"{expected or 'no model'} was expected when {name} was to replace it",
                tip="`retrainer models` lists the models; run the cycle again",
            )
        return active

    def require_holder(self, listed: Mapping[str, Entry], name: str) -> Entry:
        """The entry of the model, which serves, and alone.

        Raises:
            PlatformError: it does not.
        """
        active = self.holder(listed)
        if active != name:
            raise PlatformError(
                f"{active or 'no model'} is active at {self._rasa_x.options.root}, "
                f"{name} should be",
                tip="`retrainer models` lists the models",
            )
        return listed[name]

    def _put(self, name: str, tag: str) -> str | None:
        """Ask for a tag; what the server says against it, None if it did it.

        Raises:
            OutcomeUnknown: no answer, and the list does not show it either.
            ServerError: it refused.
        """
        route = self._rasa_x.models_route + "/{model}/tags/{tag}"
        names = {"model": name, "tag": tag}
        try:
            answer = self._rasa_x.call("PUT", route, names=names, accept={NOT_FOUND})
        except ServerError as error:
            if error.status is not None and error.status not in GATEWAY:
                raise
            self._require_arrived(name, error)
            return None
        return (answer.complaint() or "not found") if answer.status == NOT_FOUND else None

    def _require_arrived(self, name: str, lost: ServerError) -> None:
        """Wait until the list shows that a request whose answer was lost has moved the tag.

        It may be under way still, in a proxy or in the server, and take effect after we looked.

        Raises:
            OutcomeUnknown: it does not show it in time.
        """
        for _ in polls(self._shown):
            with suppress(PlatformError):  # it may be away for now, or be at it
                if self.holder(entries(self._rasa_x)) == name:
                    return
        raise OutcomeUnknown(
            f"{lost}; {self._rasa_x.options.root} did not show {name} with the tag {self._name!r} "
            f"within {self._shown:g} s, and may still give it",
            tip="the cycle goes on from here at the next run; `retrainer models` says what serves",
        )

    def _require_moved(self, name: str) -> None:
        if self._of_2018 and self.holder(entries(self._rasa_x)) not in (None, name):
            self._put(name, _ACTIVE)  # the earlier model has kept it
        failure: PlatformError | None = None
        for _ in polls(self._shown):
            try:
                self.require_holder(entries(self._rasa_x), name)
            except ServerError:
                raise
            except PlatformError as error:
                failure = error
            else:
                return
        if failure is not None:
            raise failure
