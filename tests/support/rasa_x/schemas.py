"""JSON schemas of what the API takes and gives, in our own words."""

from typing import Any

Schema = dict[str, Any]

ANYTHING: Schema = {}
STRING: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
#: The description says string, servers send integers; both are met.
ID: Schema = {"type": ["string", "integer"]}
POSITION: Schema = {"type": ["string", "integer"]}


def array(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def mapping(required: dict[str, Schema], **optional: Schema) -> Schema:
    """An object; more fields than these are allowed, as in the published description."""
    return {
        "type": "object",
        "required": sorted(required),
        "properties": {**required, **optional},
    }


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def any_of(*schemas: Schema) -> Schema:
    """One of several shapes."""
    return {"anyOf": list(schemas)}


#: A number between 0 and 1, or what older servers say when they could not compute it.
SHARE = nullable({"type": "number", "minimum": 0, "maximum": 1})

SCHEMA_ERROR = mapping({"exception": NAME, "reasons": any_of(STRING, array(STRING))})
APPLICATION_ERROR = mapping(
    {
        "version": STRING,
        "status": {"const": "failure"},
        "message": STRING,
        "reason": NAME,
        "details": {"type": "object"},
        "help": nullable(STRING),
        "code": INTEGER,
    }
)
ERROR = any_of(SCHEMA_ERROR, APPLICATION_ERROR)

LOGIN = mapping({"username": STRING, "password": STRING})
SESSION = mapping({"access_token": NAME})

_KEY = mapping({"key": NAME, "alg": NAME})
_RASA_VERSIONS = mapping({"production": STRING, "worker": STRING})
VERSION = any_of(
    mapping(
        {"rasa": _RASA_VERSIONS, "rasa-x": NAME, "enterprise": BOOLEAN, "local_mode": BOOLEAN},
        development_mode=BOOLEAN,
        keys=array(_KEY),
    ),
    mapping({"platform": NAME, "stack": _RASA_VERSIONS}),
)
_SERVER_HEALTH = mapping({"status": NUMBER}, version=STRING, minimum_compatible_version=STRING)
HEALTH = mapping(
    {
        "production": _SERVER_HEALTH,
        "worker": _SERVER_HEALTH,
        "database_migration": mapping(
            {
                "status": STRING,
                "current_revision": array(STRING),
                "target_revision": array(STRING),
                "progress_in_percent": NUMBER,
            }
        ),
    }
)

MODEL = mapping(
    {
        "project": NAME,
        "model": NAME,
        "path": NAME,
        "hash": NAME,
        "tags": array(NAME),
        "trained_at": NUMBER,
        "version": NAME,
    },
    type=nullable(STRING),
    is_compatible=BOOLEAN,
)
MODEL_OF_2018 = {
    **mapping({"model": NAME, "tags": array(NAME)}),
    "additionalProperties": False,
}
ANY_MODEL: Schema = {"if": {"required": ["project"]}, "then": MODEL, "else": MODEL_OF_2018}
TRAINED = mapping({"info": STRING, "model": NAME})
NOT_TRAINED = mapping({"info": STRING, "path": NAME})

_PREDICTION = mapping(
    {"text": STRING, "intent": STRING, "predicted": nullable(STRING)}, confidence=NUMBER
)
EVALUATION = mapping(
    {"report": any_of(STRING, {"type": "object"})},
    accuracy=SHARE,
    f1_score=SHARE,
    precision=SHARE,
    predictions=array(_PREDICTION),
)
WRAPPED_EVALUATION = mapping({"intent_evaluation": EVALUATION})
EVALUATION_ENTRY = mapping(
    {"project_id": NAME, "intent_evaluation": EVALUATION, "model": ANY_MODEL}
)

_ENTITY = mapping(
    {
        "start": POSITION,
        "end": POSITION,
        "entity": {"type": ["string", "integer"]},
        "value": {"type": ["string", "integer", "number"]},
    },
    entity_synonym=nullable(INTEGER),
    group=nullable(STRING),
    role=nullable(STRING),
)
EXAMPLE = mapping(
    {"id": ID, "text": STRING, "intent": STRING, "entities": array(_ENTITY), "hash": NAME},
    intent_mapped_to=nullable(STRING),
)
EXAMPLES = any_of(array(EXAMPLE), mapping({"data": array(EXAMPLE)}))
NEW_EXAMPLE = mapping({"text": NAME, "intent": STRING}, entities=array(_ENTITY))
NEW_EXAMPLES = any_of(NEW_EXAMPLE, mapping({"examples": array(NEW_EXAMPLE)}))
NLU_JSON = mapping({"rasa_nlu_data": mapping({"common_examples": array({"type": "object"})})})
STORED = mapping({"ok": STRING})
_COUNT = nullable(INTEGER)
DATA_WARNING = mapping(
    {"type": {"enum": ["data", "blankIntent", "intent", "dataPerIntent"]}, "count": INTEGER},
    min=_COUNT,
    max=_COUNT,
    meta=ANYTHING,
)
INTENT = mapping({"intent": NAME}, example_hashes=array(STRING), suggestions=array(STRING))
REGEX = mapping({"name": STRING, "pattern": STRING}, id=INTEGER)
LOOKUP = mapping({"id": INTEGER, "name": STRING, "number_of_elements": INTEGER})
NEW_LOOKUP = mapping({"filename": NAME, "content": STRING})
SYNONYM = mapping(
    {
        "id": INTEGER,
        "synonym_reference": STRING,
        "mapped_values": array(
            mapping({"value": STRING, "id": INTEGER}, nlu_examples_count=INTEGER)
        ),
    }
)

STORY = mapping(
    {"story": NAME, "id": STRING},
    is_rule=BOOLEAN,
    is_test=BOOLEAN,
    annotation=mapping({}, user=STRING, time=NUMBER, name=STRING),
)
SETTINGS_OF_2019 = mapping({"nlu_config": STRING})
DOMAIN = mapping({"id": INTEGER, "filename": STRING, "content_yaml": STRING})
NEW_DOMAIN = mapping({"filename": NAME, "content_yaml": STRING})
_MISMATCH = mapping({"in_training_data": array(STRING), "in_domain": array(STRING)})
DOMAIN_WARNINGS = mapping(
    {f"{kind}_warnings": _MISMATCH for kind in ("action", "intent", "entity", "slot")}
)
RESPONSE = mapping(
    {"response_name": NAME}, id=INTEGER, text=nullable(STRING), buttons={"type": "array"}
)
RESPONSES = mapping({"responses": array(RESPONSE)})

_INTENT_ANSWER = mapping({"name": nullable(STRING), "confidence": NUMBER})
LOG = mapping(
    {
        "id": INTEGER,
        "hash": NAME,
        "time": NUMBER,
        "model": STRING,
        "conversation_id": nullable(STRING),
        "event_id": nullable(INTEGER),
        "user_input": mapping(
            {
                "text": STRING,
                "intent": _INTENT_ANSWER,
                "entities": {"type": "array"},
                "intent_ranking": array(_INTENT_ANSWER),
            }
        ),
    }
)
