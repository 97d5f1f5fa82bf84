"""Login, versions, health, runtime configuration."""

from collections.abc import Callable
from typing import Any

from support.rasa_x import credentials
from support.rasa_x.exchange import Call, Reply, as_json, as_text
from support.rasa_x.world import World


def log_in(world: World, call: Call) -> Reply:
    """A user's login."""
    try:
        asked = call.json()
        user, password = asked["username"], asked["password"]
    except (KeyError, TypeError):
        return as_text("wrong schema", 401)
    token = credentials.log_in(user, password, world.switches.token_lifetime)
    return as_json({"access_token": token}) if token else as_text("unauthorized", 401)


def version(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """What runs here."""
    rasa = _rasa_version(world)
    if world.era.says_platform:
        return as_json(
            {"platform": world.era.product, "stack": {"production": rasa, "worker": rasa}}
        )
    said: dict[str, Any] = {
        "rasa": {"production": rasa, "worker": rasa},
        "rasa-x": world.era.product,
        "enterprise": world.era.product.startswith("1."),
        "local_mode": False,
        "development_mode": False,
        "keys": [{"key": credentials.public_key(), "alg": "RS256"}],
    }
    return as_json(said)


def health(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """How the Rasa servers and the database fare."""
    switches = world.switches
    if switches.rasa_server_down:
        server: dict[str, Any] = {"status": 502}
    elif switches.production_unknown:
        server = {"version": "0.0.0", "minimum_compatible_version": "0.0.0", "status": 500}
    else:
        server = {
            "version": switches.rasa_version,
            "minimum_compatible_version": switches.minimum_compatible_version,
            "status": 200,
        }
    migration = {
        "status": "completed",
        "current_revision": ["a1"],
        "target_revision": ["a1"],
        "progress_in_percent": 100.0,
    }
    return as_json({"production": server, "worker": server, "database_migration": migration})


def config(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """The runtime configuration, which is not `config.yml`."""
    return as_json({"credentials": "rest:\n", "endpoints": "models: {}\n"})


def environments(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """Where models can be deployed to."""
    return as_json({"environments": world.environments})


def user(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """Who asks."""
    return as_json({"username": call.user, "roles": ["admin"], "projects": []})


def _rasa_version(world: World) -> str:
    hidden = world.switches.rasa_server_down or world.switches.production_unknown
    return "0.0.0" if hidden else world.switches.rasa_version


HANDLERS: dict[str, Callable[[World, Call], Reply]] = {
    "log_in": log_in,
    "version": version,
    "health": health,
    "config": config,
    "environments": environments,
    "user": user,
}
