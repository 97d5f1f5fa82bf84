"""Models and their tags."""

from collections.abc import Callable
from typing import Any

from support.rasa_x.exchange import (
    BINARY,
    NO_CONTENT,
    Call,
    Refusal,
    Reply,
    as_json,
    failure,
)
from support.rasa_x.model_store import NameTaken, NotSaved, StoredModel, as_tar
from support.rasa_x.world import World


def model_object(world: World, model: StoredModel) -> dict[str, Any]:
    """A model in the words of the API."""
    if world.era.separate_models:
        return {"model": model.name, "tags": sorted(model.tags)}
    shown: dict[str, Any] = {
        "project": "default",
        "model": model.name,
        "path": f"/app/models/{model.path.name}",
        "hash": model.hash,
        "tags": sorted(model.tags),
        "trained_at": model.trained_at,
        "version": model.version,
        "type": None,
    }
    if world.era.tells_compatible:
        shown["is_compatible"] = world.models.is_compatible(model)
    return shown


def list_models(world: World, call: Call) -> Reply:
    """The models that are listed by now, the newest first."""
    tag = call.query.get("tag")
    models = [model for model in world.models.listed() if not tag or tag in model.tags]
    return as_json([model_object(world, model) for model in page(models, call)])


def upload_model(world: World, call: Call) -> Reply:
    """Store what the form has under `model`."""
    part = call.form.get("model")
    if part is None or not part.name:
        message = "Could not save model.\nNo `model` file found."
        return failure(world.era.missing_field_status, "ModelSaveError", message)
    if world.switches.rasa_server_down:
        message = "'NoneType' object has no attribute 'version'"
        return failure(500, "InternalServerError", message)
    name = part.name.removesuffix(world.era.suffix)
    if name == part.name or "/" in name or name.startswith("."):
        message = f"Could not save model.\n'{part.name}' is no *{world.era.suffix} file."
        return failure(400, "ModelSaveError", message)
    try:
        model = world.models.add(name, part.file)
    except NameTaken:
        return failure(409, "ModelExistsError", f"A model with the name '{name}' already exists.")
    except NotSaved as error:
        return failure(400, "ModelSaveError", f"Could not save model.\n{error}")
    return as_json(model_object(world, model), 201)


def get_model(world: World, call: Call) -> Reply:
    """A model's archive."""
    model = _existing(world, call)
    headers = {"filename": model.path.name, "ETag": model.etag}
    return Reply(200, model.path, BINARY, headers)


def delete_model(world: World, call: Call) -> Reply:
    """Forget a model."""
    _existing(world, call)
    world.models.remove(call.params["model"])
    world.evaluations.pop(call.params["model"], None)
    return NO_CONTENT


def tag_model(world: World, call: Call) -> Reply:
    """Move a tag to a model."""
    model, tag = _existing(world, call), call.params["tag"]
    if not world.models.is_compatible(model):
        message = f"Model '{model.name}' is not compatible with the Rasa server, so has no tag."
        return failure(404, "ModelNotCompatible", message)
    world.models.move_tag(model.name, tag)
    if world.era.tag_status == 204:
        return NO_CONTENT
    return as_json({"tag": tag, "model": model.name}, world.era.tag_status)


def untag_model(world: World, call: Call) -> Reply:
    """Take a tag off a model."""
    model, tag = _existing(world, call), call.params["tag"]
    if tag not in model.tags:
        return failure(404, "TagNotFound", f"Model '{model.name}' has no tag '{tag}'.")
    with world.models.lock:
        model.tags.discard(tag)
    return NO_CONTENT


def model_by_tag(world: World, call: Call) -> Reply:
    """What a Rasa server pulls; always the tar file, since Rasa 3 reads nothing else."""
    model = world.models.tagged(call.params["tag"])
    if model is None:
        return failure(404, "ModelNotFound", f"No model with the tag '{call.params['tag']}'.")
    if call.headers.get("if-none-match") == model.etag:
        return Reply(304, headers={"ETag": model.etag})
    archive = as_tar(model.path, world.folder)
    headers = {"ETag": model.etag, "filename": f"{model.name}.tar.gz"}
    return Reply(200, archive, BINARY, headers)


def page(items: list[Any], call: Call) -> list[Any]:
    """The part of a list that `offset` and `limit` ask for."""
    offset, limit = call.number("offset", 0) or 0, call.number("limit")
    return items[offset : None if limit is None else offset + limit]


def _existing(world: World, call: Call) -> StoredModel:
    model = world.models.get(call.params["model"])
    if model is None:
        message = f"Model '{call.params['model']}' was not found."
        raise Refusal(failure(404, "ModelNotFound", message))
    return model


HANDLERS: dict[str, Callable[[World, Call], Reply]] = {
    "list_models": list_models,
    "upload_model": upload_model,
    "get_model": get_model,
    "delete_model": delete_model,
    "tag_model": tag_model,
    "untag_model": untag_model,
    "model_by_tag": model_by_tag,
}
