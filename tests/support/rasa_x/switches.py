"""Everything that a test may turn on the server while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Switches:
    """How the server behaves; each may be changed at any time.

    Who may ask:
        token_lifetime: seconds that a login lasts.
        api_token_everywhere: else only where the published description has it.
        service_token_everywhere: else only to read the config and to pull models.
        forbidden: names of operations (see `description`) that nobody may use: 403.

    The Rasa server behind it:
        rasa_version, minimum_compatible_version: of the production server.
        rasa_server_down: uploads fail with 500, and `/health` says so.
        production_unknown: it has not told its version yet, so no model is compatible.

    Models:
        listed_after_seconds, listed_after_calls: since its upload, until a model is in the list;
            the calls are those of the list of models.
        fixed_training: the archive that a training job "makes"; no Rasa worker is needed then.
        training_fails: the job's error instead.

    Evaluations:
        fixed_evaluations: by model, given instead of computed ones; NOT what the model does.
        evaluation_fails: 500, as of Rasa X with Rasa 2.0.

    Routes:
        unknown_route_is_page: an unknown path below /api is answered with the web interface.
    """

    token_lifetime: float = 3600.0
    api_token_everywhere: bool = True
    service_token_everywhere: bool = False
    forbidden: set[str] = field(default_factory=set)
    rasa_version: str = "3.6.21"
    minimum_compatible_version: str = "3.6.0"
    rasa_server_down: bool = False
    production_unknown: bool = False
    listed_after_seconds: float = 0.0
    listed_after_calls: int = 0
    fixed_training: Path | None = None
    training_fails: str | None = None
    fixed_evaluations: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    evaluation_fails: bool = False
    unknown_route_is_page: bool = False
