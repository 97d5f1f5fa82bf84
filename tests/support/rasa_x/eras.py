"""The eras of Rasa X as values: what differs for a client from one to the next.

Where the public documents leave open what a server of some year did, the value here is the less
convenient of the two. `dataclasses.replace` makes variants.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Era:
    """One generation of the server.

    `product` is the server's own version. `names` tells which routes of training data exist.
    `data_formats` are those of NLU data, the first being the default. `listed_under` is the key
    that holds the list of examples, None for a bare list.
    """

    name: str
    product: str
    says_platform: bool = False
    tag_status: int = 204
    missing_field_status: int = 400
    training_failure_status: int = 422
    names: frozenset[str] = frozenset({"old", "new"})
    data_formats: tuple[str, ...] = ("yaml", "json", "md")
    listed_under: str | None = None
    has_version: bool = True
    has_rules: bool = True
    has_domains: bool = True
    has_routes_without_project: bool = False
    has_evaluations: bool = True
    wrapped_evaluation: bool = False
    text_report: bool = False
    settings_as_json: bool = False
    tells_compatible: bool = True
    separate_models: bool = False
    fails_to_store_templates: bool = False

    @property
    def suffix(self) -> str:
        """How the name of an uploaded file ends."""
        return ".zip" if self.separate_models else ".tar.gz"

    @property
    def active_tag(self) -> str:
        """The tag of the model that serves."""
        return "active" if self.separate_models else "production"


_MARKDOWN_YEARS = {
    "names": frozenset({"old"}),
    "has_rules": False,
    "has_domains": False,
    "tells_compatible": False,
    "tag_status": 200,
    "training_failure_status": 500,
    "missing_field_status": 404,
}

#: Rasa Platform: models of NLU alone, uploaded as zip files; hardly any routes are known.
PLATFORM_2018 = Era(
    name="2018",
    product="0.18.0",
    says_platform=True,
    separate_models=True,
    wrapped_evaluation=True,
    data_formats=("json",),
    **(_MARKDOWN_YEARS | {"tag_status": 204, "names": frozenset(), "has_version": False}),
)

#: Rasa X 0.19 and 0.20.
X_2019 = Era(
    name="2019",
    product="0.20.3",
    says_platform=True,
    settings_as_json=True,
    text_report=True,
    fails_to_store_templates=True,
    data_formats=("json", "md"),
    **_MARKDOWN_YEARS,
)

#: Rasa X up to 0.33; evaluations were there, undocumented.
X_2020 = Era(
    name="2020",
    product="0.32.2",
    text_report=True,
    data_formats=("md", "json"),
    listed_under="data",
    **_MARKDOWN_YEARS,
)

#: Rasa X 0.34 to 0.42.
X_2021 = Era(name="2021", product="0.40.1")

#: Rasa Enterprise 1.0 to 1.4.
ENTERPRISE_1 = Era(
    name="1.x", product="1.4.0", has_routes_without_project=True, listed_under="data"
)

ERAS = (PLATFORM_2018, X_2019, X_2020, X_2021, ENTERPRISE_1)
