"""All that the server knows, handed to every handler."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.rasa_x.assistant_data import AssistantData
from support.rasa_x.eras import Era
from support.rasa_x.model_store import ModelStore
from support.rasa_x.switches import Switches

from retrainer.adapters.rasa_client import RasaClient


@dataclass
class World:
    """`rasa` is the real worker that trains and evaluates; None: only what switches fix.

    `trained` maps the digest of what was trained on to the name of the model.
    """

    folder: Path
    era: Era
    switches: Switches
    models: ModelStore
    data: AssistantData
    rasa: RasaClient | None = None
    evaluations: dict[str, dict[str, Any]] = field(default_factory=dict)
    trained: dict[str, str] = field(default_factory=dict)
    environments: str = "rasa:\n  production:\n    url: http://rasa-production:5005\n"
    working: threading.Lock = field(default_factory=threading.Lock)
