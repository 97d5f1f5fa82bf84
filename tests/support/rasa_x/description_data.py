"""The description of the API, its operations on training data."""

from support.rasa_x import schemas as s
from support.rasa_x.description import (
    EVALUATIONS,
    MODELS,
    PAGING,
    STATUS,
    YAMLS,
    Content,
    Operation,
)
from support.rasa_x.exchange import JSON, MARKDOWN, TEXT, YAML
from support.rasa_x.schemas import Schema

_P = "/projects/{project}"
_ERROR: Content = {JSON: s.ERROR}
_TOTAL = frozenset({"X-Total-Count"})
_SAVED = frozenset({"Content-Disposition"})
_STORY_TEXT: Content = dict.fromkeys((*YAMLS, MARKDOWN))
_RULE_TEXT: Content = dict.fromkeys(YAMLS)
_CONFIG_TEXT: Content = dict.fromkeys((TEXT, *YAMLS))


def _examples(rest: str = "") -> dict[str, str]:
    return {f"{_P}/training_examples{rest}": "new names", f"{_P}/data{rest}": "old names"}


def _ok(schema: Schema, *more: int, status: int = 200) -> dict[int, Content]:
    return {status: {JSON: schema}, **dict.fromkeys(more, _ERROR)}


def _text(*more: int) -> dict[int, Content]:
    return {200: {TEXT: None}, **dict.fromkeys(more, _ERROR)}


NLU = {
    "list_examples": Operation(
        method="GET",
        routes=_examples(),
        query=PAGING | {"q", "intent", "sorted"},
        headers=_TOTAL,
        answers=_ok(s.EXAMPLES, 400),
    ),
    "add_examples": Operation(
        method="POST",
        routes=_examples(),
        takes={JSON: s.NEW_EXAMPLES},
        answers=_ok(s.any_of(s.EXAMPLE, s.array(s.EXAMPLE)), 400),
    ),
    "replace_examples": Operation(
        method="PUT",
        routes=_examples(),
        takes={JSON: s.NLU_JSON, **dict.fromkeys((*YAMLS, MARKDOWN))},
        answers=_ok(s.STORED, 400),
    ),
    "get_example": Operation(method="GET", routes=_examples("/{key}"), answers=_ok(s.EXAMPLE, 404)),
    "change_example": Operation(
        method="PUT",
        routes=_examples("/{key}"),
        takes={JSON: s.mapping({})},
        answers=_ok(s.EXAMPLE, 400, 404),
    ),
    "delete_example": Operation(
        method="DELETE", routes=_examples("/{key}"), answers=_ok(s.STORED, 404)
    ),
    "export": Operation(
        method="GET",
        routes={f"{_P}/training_data": "new names"},
        headers=_SAVED,
        answers={200: {YAML: None, JSON: None, MARKDOWN: None}, 400: _ERROR},
    ),
    "export_json": Operation(
        method="GET",
        routes={f"{_P}/data.json": "data.json"},
        headers=_SAVED,
        answers={200: {JSON: None}},
    ),
    "export_markdown": Operation(
        method="GET",
        routes={f"{_P}/data.md": "markdown"},
        headers=_SAVED,
        answers={200: {MARKDOWN: None}},
    ),
    "data_warnings": Operation(
        method="GET",
        routes={f"{_P}/training_data_warnings": "new names", f"{_P}/dataWarnings": "old names"},
        answers=_ok(s.array(s.DATA_WARNING)),
    ),
    "intents": Operation(
        method="GET",
        routes={f"{_P}/intents": "Rasa X"},
        query=frozenset({"temporary"}),
        answers=_ok(s.array(s.INTENT)),
    ),
    "entities": Operation(
        method="GET",
        routes={f"{_P}/entities": "Rasa X"},
        answers=_ok(s.array(s.mapping({"entity": s.NAME}))),
    ),
    "list_regexes": Operation(
        method="GET",
        routes={f"{_P}/regexes": "Rasa X"},
        query=PAGING,
        answers=_ok(s.array(s.REGEX), 400),
    ),
    "get_regex": Operation(
        method="GET", routes={f"{_P}/regexes/{{key}}": "Rasa X"}, answers=_ok(s.REGEX, 404)
    ),
    "list_lookups": Operation(
        method="GET", routes={f"{_P}/lookupTables": "Rasa X"}, answers=_ok(s.array(s.LOOKUP))
    ),
    "add_lookup": Operation(
        method="POST",
        routes={f"{_P}/lookupTables": "Rasa X"},
        takes={JSON: s.NEW_LOOKUP},
        answers=_ok(s.LOOKUP, 400, status=201),
    ),
    "get_lookup": Operation(
        method="GET", routes={f"{_P}/lookupTables/{{key}}": "Rasa X"}, answers=_text(404)
    ),
    "list_synonyms": Operation(
        method="GET",
        routes={f"{_P}/synonyms": "Rasa X"},
        query=frozenset({"mapped_value"}),
        answers=_ok(s.array(s.SYNONYM)),
    ),
}

ASSISTANT = {
    "list_stories": Operation(
        method="GET",
        routes={"/stories": "Rasa X"},
        query=frozenset({"q"}),
        answers=_ok(s.array(s.STORY)),
    ),
    "stories_as_markdown": Operation(
        method="GET",
        routes={"/stories.md": "Rasa X"},
        query=frozenset({"q"}),
        answers={200: {MARKDOWN: None}},
    ),
    "add_stories": Operation(
        method="POST",
        routes={"/stories": "Rasa X"},
        query=frozenset({"test_stories"}),
        takes=_STORY_TEXT,
        answers=_ok(s.array(s.STORY), 400),
    ),
    "replace_stories": Operation(
        method="PUT",
        routes={"/stories": "Rasa X"},
        takes=_STORY_TEXT,
        answers=_ok(s.array(s.STORY), 400),
    ),
    "delete_story": Operation(
        method="DELETE", routes={"/stories/{key}": "Rasa X"}, answers={204: {}, 404: _ERROR}
    ),
    "list_rules": Operation(
        method="GET",
        routes={"/rules": "rules"},
        query=PAGING | {"q"},
        answers=_ok(s.array(s.STORY), 400),
    ),
    "add_rules": Operation(
        method="POST",
        routes={"/rules": "rules"},
        takes=_RULE_TEXT,
        answers=_ok(s.array(s.STORY), 400),
    ),
    "replace_rules": Operation(
        method="PUT",
        routes={"/rules": "rules"},
        takes=_RULE_TEXT,
        answers=_ok(s.array(s.STORY), 400),
    ),
    "delete_rule": Operation(
        method="DELETE", routes={"/rules/{key}": "rules"}, answers={204: {}, 404: _ERROR}
    ),
    "get_settings": Operation(
        method="GET",
        routes={f"{_P}/settings": "Rasa X"},
        api_token=True,
        answers={200: {TEXT: None, JSON: s.SETTINGS_OF_2019}, 400: _ERROR},
    ),
    "put_settings": Operation(
        method="PUT",
        routes={f"{_P}/settings": "Rasa X"},
        takes=_CONFIG_TEXT,
        answers=_text(400, 422),
    ),
    "get_domain": Operation(method="GET", routes={"/domain": "Rasa X"}, answers=_text(400)),
    "put_domain": Operation(
        method="PUT",
        routes={"/domain": "Rasa X"},
        query=frozenset({"store_responses", "store_templates"}),
        api_token=True,
        takes=_CONFIG_TEXT,
        answers=_text(400, 500),
    ),
    "list_domains": Operation(
        method="GET", routes={"/domains": "domains"}, answers=_ok(s.array(s.DOMAIN))
    ),
    "add_domain": Operation(
        method="POST",
        routes={"/domains": "domains"},
        query=frozenset({"store_responses"}),
        takes={JSON: s.NEW_DOMAIN},
        answers=_ok(s.DOMAIN, 400, 409),
    ),
    "domain_warnings": Operation(
        method="GET", routes={"/domainWarnings": "Rasa X"}, answers=_ok(s.DOMAIN_WARNINGS)
    ),
    "list_responses": Operation(
        method="GET",
        routes={"/responses": "new names", "/templates": "old names"},
        query=PAGING | {"q", "response_name", "template"},
        headers=_TOTAL,
        answers=_ok(s.RESPONSES, 400),
    ),
    "add_response": Operation(
        method="POST",
        routes={"/responses": "new names", "/templates": "old names"},
        takes={JSON: s.RESPONSE},
        answers=_ok(s.RESPONSE, 400, 422, status=201),
    ),
}

INBOX = {
    "list_logs": Operation(
        method="GET",
        routes={f"{_P}/logs": "Rasa X"},
        query=PAGING
        | {"q", "intent", "entity", "tags", "exclude_training_data", "start", "until"}
        | {"sort_by", "sort_order"},
        headers=_TOTAL,
        answers=_ok(s.array(s.LOG), 400),
    ),
    "get_log": Operation(
        method="GET", routes={f"{_P}/logs/{{key}}": "Rasa X"}, answers=_ok(s.LOG, 404)
    ),
    "delete_log": Operation(
        method="DELETE", routes={f"{_P}/logs/{{key}}": "Rasa X"}, answers=_text(400)
    ),
}

#: Every operation that the server has, by its name.
OPERATIONS = STATUS | MODELS | EVALUATIONS | NLU | ASSISTANT | INBOX
