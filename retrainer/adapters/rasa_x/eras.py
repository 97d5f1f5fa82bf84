"""The eras of Rasa X, as its own words tell them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Era(StrEnum):
    """Which years' protocol a server speaks."""

    PLATFORM = "2018"  # Rasa Platform until 0.18: models/nlu, zipped folders
    FIRST = "2019"  # Rasa X 0.19, 0.20
    EARLY = "2020"  # until 0.33: Markdown and JSON
    LATE = "2021"  # 0.34 to 0.42: YAML, new names of routes
    ENTERPRISE = "1.x"  # 1.0 to 1.4: also routes without a project


@dataclass(frozen=True)
class ServerVersion:
    """What `/api/version` says; empty is what it did not say.

    `product` is the version of Rasa X or the Platform, `rasa` that of the production Rasa server,
    "0.0.0" as long as none is connected. `platform` says whether it uses the words of 2018/19.
    """

    product: str = ""
    rasa: str = ""
    platform: bool = False

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read it, whatever it is."""
        said: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        old = "rasa-x" not in said and "platform" in said
        rasa = said.get("rasa") or said.get("stack")
        if isinstance(rasa, Mapping):
            rasa = rasa.get("production")
        product = said.get("platform") if old else said.get("rasa-x")
        return cls(str(product or ""), str(rasa or ""), platform=old)


def era_of(version: ServerVersion) -> Era | None:
    """The era of this version; None if it does not tell."""
    found = re.match(r"(\d+)\.(\d+)", version.product)
    if not found:
        return None
    number = (int(found[1]), int(found[2]))
    if number >= (1, 0):
        return Era.ENTERPRISE
    if number >= (0, 34):
        return Era.LATE
    if number >= (0, 21):
        return Era.EARLY
    return Era.FIRST if number >= (0, 19) else Era.PLATFORM
