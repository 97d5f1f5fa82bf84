"""The NLU inbox: what users wrote, with what the model took it for."""

import time
from collections.abc import Callable
from typing import Any

from support.rasa_x.exchange import Call, Reply, as_json, as_text, failure
from support.rasa_x.model_routes import page
from support.rasa_x.nlu_data import text_hash
from support.rasa_x.world import World


def message(id_: int, text: str, intent: str, confidence: float) -> dict[str, Any]:
    """One message of the inbox."""
    answer = {"name": intent, "confidence": confidence}
    return {
        "id": id_,
        "hash": text_hash(text),
        "time": time.time(),
        "model": "unavailable",
        "conversation_id": None,
        "event_id": None,
        "user_input": {
            "text": text,
            "intent": answer,
            "entities": [],
            "intent_ranking": [answer],
        },
    }


def list_logs(world: World, call: Call) -> Reply:
    """Messages, the newest first; without those that are training examples, unless asked for."""
    words, asked = call.query.get("q", "").lower(), call.query.get("intent")
    known = {each["hash"] for each in world.data.nlu.examples}
    found = [
        each
        for each in world.data.logs
        if words in each["user_input"]["text"].lower()
        and (not asked or each["user_input"]["intent"]["name"] in asked.split(","))
        and not (call.flag("exclude_training_data", default=True) and each["hash"] in known)
    ]
    newest_first = call.query.get("sort_order", "desc") == "desc"
    found.sort(key=lambda each: int(each["id"]), reverse=newest_first)
    return as_json(page(found, call), X_Total_Count=str(len(found)))


def get_log(world: World, call: Call) -> Reply:
    """The message whose text has this hash."""
    for each in world.data.logs:
        if each["hash"] == call.params["key"]:
            return as_json(each)
    return failure(404, "NotFound", "There is no such message.")


def delete_log(world: World, call: Call) -> Reply:
    """Archive a message."""
    for each in world.data.logs:
        if str(each["id"]) == call.params["key"]:
            world.data.logs.remove(each)
            return as_text(f"Log {each['id']} archived")
    return failure(400, "NotFound", "There is no such message.")


HANDLERS: dict[str, Callable[[World, Call], Reply]] = {
    "list_logs": list_logs,
    "get_log": get_log,
    "delete_log": delete_log,
}
