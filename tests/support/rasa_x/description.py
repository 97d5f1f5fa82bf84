"""The description of the API: what each operation takes and gives, and in which years it is there.

Written in our own words after Rasa's published documents, and held against every request and every
reply of the server. It is the union of the years: `Operation.routes` says where an operation is
found, each route with the trait of an era that it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from support.rasa_x import schemas as s
from support.rasa_x.eras import Era
from support.rasa_x.exchange import BINARY, JSON, TEXT, YAML
from support.rasa_x.schemas import Schema

FORM = "multipart/form-data"
YAMLS = (YAML, "text/yaml", "application/yaml")
PAGING = frozenset({"limit", "offset"})
#: Everything may be signed by one of these.
SIGNATURES = frozenset({"api_token", "token"})

#: By media type, the schema of what is sent, None for what is no JSON.
Content = Mapping[str, Schema | None]

NOTHING: Content = {}
_ERROR: Content = {JSON: s.ERROR}
_TEXT: Content = {TEXT: None}
_FILE: Content = {BINARY: None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    `answers` are those besides 401, 403 and 404 (no such project), which any has that is not public.
    `takes` lists the media types of the body, empty if there is none to be. `headers` are those
    that every success has. `public`, `api_token` and `service_token` say who may ask by the
    published documents.
    """

    method: str
    routes: Mapping[str, str]
    answers: Mapping[int, Content]
    query: frozenset[str] = frozenset()
    takes: Content = field(default_factory=dict)
    headers: frozenset[str] = frozenset()
    public: bool = False
    api_token: bool = False
    service_token: bool = False


def exists(trait: str, era: Era) -> bool:
    """Whether an era has the trait that a route needs."""
    traits = {
        "Rasa X": not era.separate_models,
        "separate models": era.separate_models,
        "no project": era.has_routes_without_project,
        "old names": "old" in era.names,
        "new names": "new" in era.names,
        "markdown": "old" in era.names and "md" in era.data_formats,
        "data.json": "old" in era.names or era.separate_models,
        "version": era.has_version,
        "evaluations": era.has_evaluations,
        "rules": era.has_rules,
        "domains": era.has_domains,
    }
    return traits[trait]


_P = "/projects/{project}"
_MODELS = {f"{_P}/models": "Rasa X", f"{_P}/models/nlu": "separate models"}


def _models(rest: str) -> dict[str, str]:
    return {path + rest: trait for path, trait in _MODELS.items()}


def _ok(schema: Schema, *more: int, status: int = 200) -> dict[int, Content]:
    return {status: {JSON: schema}, **dict.fromkeys(more, _ERROR)}


STATUS = {
    "log_in": Operation(
        method="POST",
        routes={"/auth": "Rasa X"},
        public=True,
        takes={JSON: s.LOGIN},
        answers={200: {JSON: s.SESSION}, 401: _TEXT},
    ),
    "version": Operation(
        method="GET",
        routes={"/version": "version"},
        public=True,
        query=frozenset({"skip_external"}),
        answers=_ok(s.VERSION),
    ),
    "health": Operation(
        method="GET", routes={"/health": "Rasa X"}, public=True, answers=_ok(s.HEALTH)
    ),
    "config": Operation(
        method="GET",
        routes={"/config": "Rasa X"},
        service_token=True,
        answers=_ok(s.mapping({"credentials": s.STRING, "endpoints": s.STRING}), 400),
    ),
    "environments": Operation(
        method="GET",
        routes={"/environments": "Rasa X"},
        answers=_ok(s.mapping({"environments": s.STRING}), 400),
    ),
    "user": Operation(
        method="GET", routes={"/user": "Rasa X"}, answers=_ok(s.mapping({"username": s.NAME}))
    ),
}

MODELS = {
    "list_models": Operation(
        method="GET",
        routes=_MODELS,
        query=PAGING | {"tag"},
        answers=_ok(s.array(s.ANY_MODEL), 400),
    ),
    "upload_model": Operation(
        method="POST",
        routes=_MODELS,
        api_token=True,
        takes={FORM: None},
        answers=_ok(s.ANY_MODEL, 400, 404, 409, 500, status=201),
    ),
    "train": Operation(
        method="POST",
        routes={f"{_P}/models/jobs": "Rasa X"},
        api_token=True,
        answers={
            200: {JSON: s.TRAINED},
            201: {JSON: s.NOT_TRAINED},
            **dict.fromkeys((400, 422, 500), _ERROR),
        },
    ),
    "model_by_tag": Operation(
        method="GET",
        routes=_models("/tags/{tag}") | {"/models/tags/{tag}": "no project"},
        service_token=True,
        headers=frozenset({"ETag", "filename"}),
        answers={200: _FILE, 304: NOTHING, 404: _ERROR},
    ),
    "get_model": Operation(
        method="GET", routes=_models("/{model}"), answers={200: _FILE, 404: _ERROR}
    ),
    "delete_model": Operation(
        method="DELETE", routes=_models("/{model}"), answers={204: NOTHING, 404: _ERROR}
    ),
    "tag_model": Operation(
        method="PUT",
        routes=_models("/{model}/tags/{tag}"),
        answers={204: NOTHING, 200: {JSON: s.mapping({"tag": s.NAME})}, 404: _ERROR},
    ),
    "untag_model": Operation(
        method="DELETE",
        routes=_models("/{model}/tags/{tag}"),
        answers={204: NOTHING, 404: _ERROR},
    ),
}

_EVALUATION: Content = {JSON: s.any_of(s.EVALUATION, s.WRAPPED_EVALUATION)}
EVALUATIONS = {
    "list_evaluations": Operation(
        method="GET",
        routes={f"{_P}/evaluations": "evaluations"},
        answers=_ok(s.array(s.EVALUATION_ENTRY)),
    ),
    "evaluate": Operation(
        method="PUT",
        routes={f"{_P}/evaluations/{{model}}": "evaluations"},
        answers={200: _EVALUATION, 400: _ERROR, 404: _ERROR, 500: _ERROR},
    ),
    "get_evaluation": Operation(
        method="GET",
        routes={f"{_P}/evaluations/{{model}}": "evaluations"},
        answers={200: _EVALUATION, 404: _ERROR},
    ),
    "delete_evaluation": Operation(
        method="DELETE",
        routes={f"{_P}/evaluations/{{model}}": "evaluations"},
        answers={204: NOTHING, 404: _ERROR},
    ),
}
