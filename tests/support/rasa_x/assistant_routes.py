"""Stories, rules, domain, config and responses."""

from collections.abc import Callable
from typing import Any

from support.rasa_x import assistant_data
from support.rasa_x.exchange import (
    MARKDOWN,
    NO_CONTENT,
    Call,
    Refusal,
    Reply,
    Unreadable,
    as_json,
    as_text,
    failure,
    schema_failure,
)
from support.rasa_x.model_routes import page
from support.rasa_x.world import World

#: Without these Rasa cannot train.
_MANDATORY = ("language", "pipeline", "policies")


def list_stories(world: World, call: Call) -> Reply:
    """Stories whose text has `q` in it, each a fragment."""
    return as_json(_matching(world.data.stories, call))


def stories_as_markdown(world: World, call: Call) -> Reply:
    """All of them in one text."""
    texts = [each["story"] for each in _matching(world.data.stories, call)]
    return as_text("\n".join(texts), media_type=MARKDOWN)


def add_stories(world: World, call: Call) -> Reply:
    """Store more stories."""
    stories, rules = _read(call)
    test = call.flag("test_stories")
    with world.data.lock:
        for each in stories:
            each["is_test"] = test
        world.data.stories += stories
        world.data.rules += rules
        assistant_data.number(world.data.stories + world.data.rules)
    return as_json(world.data.stories)


def replace_stories(world: World, call: Call) -> Reply:
    """Replace all stories."""
    stories, rules = _read(call)
    with world.data.lock:
        world.data.stories, world.data.rules = stories, rules or world.data.rules
        assistant_data.number(world.data.stories + world.data.rules)
    return as_json(world.data.stories)


def list_rules(world: World, call: Call) -> Reply:
    """Rules whose text has `q` in it, each a fragment."""
    return as_json(page(_matching(world.data.rules, call), call))


def add_rules(world: World, call: Call) -> Reply:
    """Store more rules."""
    _, rules = _read(call)
    with world.data.lock:
        world.data.rules += rules
        assistant_data.number(world.data.stories + world.data.rules)
    return as_json(world.data.rules)


def replace_rules(world: World, call: Call) -> Reply:
    """Replace all rules."""
    _, rules = _read(call)
    with world.data.lock:
        world.data.rules = rules
        assistant_data.number(world.data.stories + world.data.rules)
    return as_json(world.data.rules)


def get_settings(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """`config.yml`, or in early years an object that holds it."""
    config = world.data.config
    if config is None:
        return failure(400, "SettingsNotFound", "There are no settings for this project.")
    if world.era.settings_as_json:
        return as_json({"nlu_config": config})
    return as_text(config)


def put_settings(world: World, call: Call) -> Reply:
    """Replace `config.yml`."""
    try:
        parsed = assistant_data.parse(call.text)
    except Unreadable as error:
        return failure(400, "BadRequest", f"The config is not YAML: {error}")
    missing = [key for key in _MANDATORY if not isinstance(parsed, dict) or key not in parsed]
    if missing:
        return failure(422, "MissingKeys", f"These keys are missing: {', '.join(missing)}")
    world.data.config = call.text
    return as_text(call.text)


def get_domain(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """The domain as text."""
    if world.data.domain is None:
        return schema_failure(400, "DomainNotFound", "There is no domain.")
    return as_text(world.data.domain)


def put_domain(world: World, call: Call) -> Reply:
    """Replace the domain."""
    if world.era.fails_to_store_templates and call.flag("store_templates"):
        return failure(500, "InternalServerError", "An unexpected error occurred.")
    try:
        world.data.set_domain(call.text)
    except Unreadable as error:
        return schema_failure(400, "InvalidDomain", str(error))
    return as_text(call.text)


def list_domains(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """All files of the domain."""
    return as_json(world.data.domains)


def add_domain(world: World, call: Call) -> Reply:
    """Store one more file of the domain."""
    asked = call.json()
    if not isinstance(asked, dict) or not {"filename", "content_yaml"} <= set(asked):
        return schema_failure(400, "ValidationError", "filename and content_yaml are needed")
    if any(each["filename"] == asked["filename"] for each in world.data.domains):
        return schema_failure(409, "DomainExists", "There is a domain of that file name.")
    new = {"id": len(world.data.domains) + 1, **asked}
    world.data.domains.append(new)
    return as_json(new)


def domain_warnings(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """Nothing to complain of."""
    nothing: dict[str, list[str]] = {"in_training_data": [], "in_domain": []}
    kinds = ("action", "intent", "entity", "slot")
    return as_json({f"{kind}_warnings": nothing for kind in kinds})


def list_responses(world: World, call: Call) -> Reply:
    """Every variation of every response."""
    words = call.query.get("q", "").lower()
    asked = call.query.get("response_name") or call.query.get("template")
    names = asked.split(",") if asked else None
    found = [
        each
        for each in world.data.responses
        if words in str(each.get("text", "")).lower()
        and (names is None or each["response_name"] in names)
    ]
    return as_json({"responses": page(found, call)}, X_Total_Count=str(len(found)))


def add_response(world: World, call: Call) -> Reply:
    """Store one more variation."""
    asked = call.json()
    name = asked.get("response_name") if isinstance(asked, dict) else None
    if not isinstance(name, str):
        return schema_failure(400, "ValidationError", "'response_name' is needed")
    if not name.startswith("utter_"):
        return failure(422, "ResponseNameError", "The name must start with 'utter_'.")
    with world.data.lock:
        world.data.add_responses(name, [asked])
    return as_json(world.data.responses[-1], 201)


def delete_rule(world: World, call: Call) -> Reply:
    """Forget a rule."""
    return _forget(world.data.rules, call)


def delete_story(world: World, call: Call) -> Reply:
    """Forget a story."""
    return _forget(world.data.stories, call)


def _forget(items: list[dict[str, Any]], call: Call) -> Reply:
    for each in items:
        if each["id"] == call.params["key"]:
            items.remove(each)
            return NO_CONTENT
    return failure(404, "NotFound", "There is none of that id.")


def _matching(items: list[dict[str, Any]], call: Call) -> list[dict[str, Any]]:
    words = call.query.get("q", "").lower()
    return [each for each in items if words in each["story"].lower()]


def _read(call: Call) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    try:
        return assistant_data.split_stories(call.text)
    except Unreadable as error:
        raise Refusal(schema_failure(400, "StoryParseError", str(error))) from None


HANDLERS: dict[str, Callable[[World, Call], Reply]] = {
    "list_stories": list_stories,
    "stories_as_markdown": stories_as_markdown,
    "add_stories": add_stories,
    "replace_stories": replace_stories,
    "delete_story": delete_story,
    "list_rules": list_rules,
    "add_rules": add_rules,
    "replace_rules": replace_rules,
    "delete_rule": delete_rule,
    "get_settings": get_settings,
    "put_settings": put_settings,
    "get_domain": get_domain,
    "put_domain": put_domain,
    "list_domains": list_domains,
    "add_domain": add_domain,
    "domain_warnings": domain_warnings,
    "list_responses": list_responses,
    "add_response": add_response,
}
