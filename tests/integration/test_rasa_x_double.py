"""The Rasa X server of the tests behaves as the published API, and as users say it does."""

import json
import tarfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from support.archives import write_rasa_model
from support.fault_proxy import Page, fault_proxy
from support.rasa_projects import CONFIG, DOMAIN, FAST_PIPELINE, NLU, STORIES
from support.rasa_run import RasaServer, pulling, rasa_server
from support.rasa_x import (
    ENTERPRISE_1,
    ERAS,
    PLATFORM_2018,
    X_2019,
    X_2020,
    X_2021,
    Era,
    Parts,
    RasaXServer,
    Switches,
    rasa_x,
)
from support.rasa_x.application import HANDLERS
from support.rasa_x.description import exists
from support.rasa_x.description_data import OPERATIONS
from support.waiting import wait_until

from retrainer.adapters.model_archive import read_metadata
from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.metrics import measure
from retrainer.ports import Project

PROJECT = "/projects/default"
PARTS = Parts(
    nlu=NLU,
    stories="stories:\n- story: hello\n  steps: [{intent: greet}, {action: utter_greet}]\n",
    rules=STORIES,
    domain=DOMAIN,
    config=CONFIG.format(pipeline=FAST_PIPELINE.strip()),
)


class Client:
    """The plainest client: an API token in the query."""

    def __init__(self, server: RasaXServer, **query: str) -> None:
        self.server, self.query = server, query or {"api_token": server.api_token}

    def __call__(
        self, method: str, path: str, query: dict[str, object] | None = None, **more: object
    ) -> requests.Response:
        """One call below `/api`."""
        asked = {**self.query, **(query or {})}
        return requests.request(
            method, f"{self.server.url}/api{path}", params=asked, timeout=60, **more
        )

    def upload(self, archive: Path, name: str, path: str = f"{PROJECT}/models"):
        with archive.open("rb") as file:
            return self("POST", path, files={"model": (name, file)})


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rasa_model(tmp_path_factory.mktemp("archive"), "one")[1]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rasa_model(tmp_path_factory.mktemp("other"), "two")[1]


@pytest.fixture
def server(tmp_path: Path):
    with rasa_x(tmp_path, parts=PARTS) as server:
        yield server


@pytest.fixture
def client(server: RasaXServer) -> Client:
    return Client(server)


@pytest.fixture(params=ERAS, ids=lambda era: era.name)
def any_era(request: pytest.FixtureRequest, tmp_path: Path):
    with rasa_x(tmp_path, era=request.param, parts=PARTS) as server:
        yield server


def names(answer: requests.Response) -> list[str]:
    return [model["model"] for model in answer.json()]


# Who asks


def test_without_credentials_nothing_is_told(server: RasaXServer):
    """A stranger gets 401 in JSON, but may ask for the version and the health."""
    nobody = Client(server, api_token="wrong")
    answer = nobody("GET", f"{PROJECT}/models")
    assert answer.status_code == 401
    assert answer.json() == {"exception": "Unauthorized", "reasons": ["Auth required."]}
    assert nobody("GET", "/version").ok
    assert nobody("GET", "/health").ok


def test_login(server: RasaXServer, client: Client):
    """User and password give a token that signs; a failed login is told in plain text."""
    wrong = client("POST", "/auth", json={"username": "me", "password": "guess"})
    assert (wrong.status_code, wrong.text) == (401, "unauthorized")
    assert wrong.headers["Content-Type"].startswith("text/plain")
    good = client("POST", "/auth", json={"username": "me", "password": server.password})
    bearer = {"Authorization": f"Bearer {good.json()['access_token']}"}
    assert requests.get(f"{server.url}/api/config", headers=bearer, timeout=9).ok


def test_wrong_fields_of_a_login(server: RasaXServer, client: Client):
    """They are 401, not 400; and the description counts them as the client's breach."""
    answer = client("POST", "/auth", json={"user": "me"})
    assert (answer.status_code, answer.text) == (401, "wrong schema")
    assert len(server.violations) == 1
    server.violations.clear()


def test_a_login_expires(server: RasaXServer, client: Client):
    """After its life-time a token is refused, and a new login works."""
    login = {"username": "me", "password": server.password}
    server.switches.token_lifetime = -1
    token = client("POST", "/auth", json=login).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{server.url}/api/user", headers=bearer, timeout=9).status_code == 401


def test_the_service_token_is_no_login(server: RasaXServer):
    """It reads the config and models by tag as `token`; as a bearer it is refused."""
    by_token = Client(server, token=server.service_token)
    assert by_token("GET", "/config").ok
    assert by_token("GET", f"{PROJECT}/models").status_code == 401
    server.switches.service_token_everywhere = True
    assert by_token("GET", f"{PROJECT}/models").ok
    assert by_token("GET", f"{PROJECT}/models/tags/production").status_code == 404
    bearer = {"Authorization": f"Bearer {server.service_token}"}
    answer = requests.get(f"{server.url}/api/config", headers=bearer, timeout=9)
    assert answer.status_code == 401
    assert answer.json() == {"exception": "Unauthorized", "reasons": ["Auth required."]}


def test_api_token_where_documented_only(server: RasaXServer, client: Client):
    """With the switch off, tags and evaluations need a login."""
    server.switches.api_token_everywhere = False
    assert client("GET", f"{PROJECT}/settings").ok
    assert client("PUT", f"{PROJECT}/models/one/tags/production").status_code == 401
    assert client("PUT", f"{PROJECT}/evaluations/one").status_code == 401


def test_rights(server: RasaXServer, client: Client):
    """A user without a right gets 403."""
    server.switches.forbidden.add("tag_model")
    answer = client("PUT", f"{PROJECT}/models/one/tags/production")
    assert (answer.status_code, answer.json()["exception"]) == (403, "Forbidden")


# Addresses


def test_the_web_interface_answers_outside_the_api(server: RasaXServer):
    """An unknown path outside the API is a page with 200; below it, 404."""
    page = requests.get(f"{server.url}/apis/version", timeout=9)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert requests.get(f"{server.url}/models", timeout=9).text.startswith("<!DOCTYPE html>")
    unknown = requests.get(f"{server.url}/api/nothing", timeout=9)
    assert (unknown.status_code, unknown.json()["status"]) == (404, "failure")
    server.switches.unknown_route_is_page = True
    assert requests.get(f"{server.url}/api/nothing", timeout=9).text.startswith("<!DOCTYPE html>")


def test_other_projects_are_unknown(client: Client):
    """There is one project, `default`."""
    assert client("GET", "/projects/shop/models").status_code == 404


# Models


def test_upload_list_fetch_delete(client: Client, archive: Path):
    """A model keeps its name and content, and tells its Rasa version and time."""
    assert client("GET", f"{PROJECT}/models").json() == []
    uploaded = client.upload(archive, "one.tar.gz")
    assert uploaded.status_code == 201
    (model,) = client("GET", f"{PROJECT}/models").json()
    assert model == uploaded.json()
    assert (model["model"], model["version"], model["tags"]) == ("one", "3.6.21", [])
    assert model["trained_at"] == 1767236645.0
    assert model["is_compatible"] is True
    fetched = client("GET", f"{PROJECT}/models/one")
    assert fetched.content == archive.read_bytes()
    assert client("DELETE", f"{PROJECT}/models/one").status_code == 204
    assert client("DELETE", f"{PROJECT}/models/one").status_code == 404
    assert client("GET", f"{PROJECT}/models/one").status_code == 404


def test_a_name_is_taken_once(client: Client, archive: Path, other: Path):
    """409, and what was there stays."""
    client.upload(archive, "one.tar.gz")
    assert client.upload(other, "one.tar.gz").status_code == 409
    assert client("GET", f"{PROJECT}/models/one").content == archive.read_bytes()


def test_what_is_no_model_is_refused(client: Client, server: RasaXServer, tmp_path: Path):
    """400, and the name stays free."""
    (tmp_path / "text").write_text("no archive")
    assert client.upload(tmp_path / "text", "one.tar.gz").status_code == 400
    assert client.upload(tmp_path / "text", "one.zip").status_code == 400
    assert server.tags() == {}
    assert list(server.store.folder.iterdir()) == []


@pytest.mark.parametrize(("era", "status"), [(X_2020, 404), (X_2021, 400)])
def test_upload_without_the_field(tmp_path: Path, archive: Path, era: Era, status: int):
    """The field must be `model`; the status of its absence changed over the years."""
    with rasa_x(tmp_path, era=era) as server, archive.open("rb") as file:
        answer = Client(server)("POST", f"{PROJECT}/models", files={"file": ("one.tar.gz", file)})
    assert (answer.status_code, answer.json()["reason"]) == (status, "ModelSaveError")


def test_upload_without_a_rasa_server(client: Client, server: RasaXServer, archive: Path):
    """Uploads ask the Rasa server for its version, and fail with 500 if there is none."""
    server.switches.rasa_server_down = True
    assert client.upload(archive, "one.tar.gz").status_code == 500
    assert client("GET", "/health").json()["production"] == {"status": 502}
    assert server.tags() == {}


def test_listed_after_some_calls(client: Client, server: RasaXServer, archive: Path):
    """An uploaded model is there before the list shows it."""
    server.switches.listed_after_calls = 2
    client.upload(archive, "one.tar.gz")
    shown = [names(client("GET", f"{PROJECT}/models")) for _ in range(4)]
    assert shown == [[], [], ["one"], ["one"]]


def test_listed_after_some_time(client: Client, server: RasaXServer, archive: Path):
    """The same by the clock."""
    server.switches.listed_after_seconds = 0.3
    client.upload(archive, "one.tar.gz")
    assert names(client("GET", f"{PROJECT}/models")) == []
    wait_until(lambda: names(client("GET", f"{PROJECT}/models")) == ["one"], seconds=10)


def test_a_tag_moves(client: Client, server: RasaXServer, archive: Path, other: Path):
    """One model has a tag, a model has many; the list can be asked for a tag."""
    server.add_model("one", archive, tag="production")
    server.add_model("two", other)
    assert client("PUT", f"{PROJECT}/models/one/tags/stage").status_code == 204
    assert client("PUT", f"{PROJECT}/models/two/tags/production").status_code == 204
    assert server.tags() == {"one": {"stage"}, "two": {"production"}}
    assert names(client("GET", f"{PROJECT}/models", {"tag": "production"})) == ["two"]
    assert client("DELETE", f"{PROJECT}/models/one/tags/stage").status_code == 204
    assert client("DELETE", f"{PROJECT}/models/one/tags/stage").status_code == 404
    assert client("PUT", f"{PROJECT}/models/three/tags/production").status_code == 404


def test_pages_of_models(client: Client, server: RasaXServer, archive: Path):
    """`limit` and `offset` cut the list, which is the newest first."""
    for number in range(5):
        server.add_model(f"m{number}", archive)
    assert names(client("GET", f"{PROJECT}/models", {"limit": 2, "offset": 1})) == ["m3", "m2"]
    assert client("GET", f"{PROJECT}/models", {"limit": 2, "offset": 5}).json() == []


@pytest.mark.parametrize(
    "switches",
    [
        {"minimum_compatible_version": "3.7.0", "rasa_version": "3.7.1"},
        {"minimum_compatible_version": "3.0.0", "rasa_version": "3.5.9"},
        {"production_unknown": True},
    ],
    ids=["too old", "too new", "not known yet"],
)
def test_incompatible_models_get_no_tag(tmp_path: Path, archive: Path, switches: dict):
    """A model of another Rasa, or while the server's is not known, is 404 to tags."""
    with rasa_x(tmp_path, switches=Switches(**switches)) as server:
        client = Client(server)
        client.upload(archive, "one.tar.gz")
        assert client("GET", f"{PROJECT}/models").json()[0]["is_compatible"] is False
        answer = client("PUT", f"{PROJECT}/models/one/tags/production")
        assert answer.status_code == 404
        assert "not compatible" in answer.json()["message"]
        assert server.tags() == {"one": set()}


def test_models_are_pulled_by_tag(tmp_path: Path, archive: Path, other: Path):
    """A strong entity tag, 304 while nothing changed, and both forms of the route since 1.0."""
    with rasa_x(tmp_path, era=ENTERPRISE_1) as server:
        by_token = Client(server, token=server.service_token)
        for path in (f"{PROJECT}/models/tags/production", "/models/tags/production"):
            assert by_token("GET", path).status_code == 404
        server.add_model("one", archive, tag="production")
        server.add_model("two", other)
        for path in (f"{PROJECT}/models/tags/production", "/models/tags/production"):
            server.store.move_tag("one", "production")
            first = by_token("GET", path, headers={"If-None-Match": "0" * 32})
            assert first.content == archive.read_bytes()
            assert first.headers["filename"] == "one.tar.gz"
            etag = first.headers["ETag"]
            assert etag.startswith('"')
            again = by_token("GET", path, headers={"If-None-Match": etag})
            assert (again.status_code, again.content) == (304, b"")
            server.store.move_tag("two", "production")
            moved = by_token("GET", path, headers={"If-None-Match": etag})
            assert moved.content == other.read_bytes()


# Eras


def test_versions(any_era: RasaXServer):
    """What a server says of itself has other keys before 2020; in 2018 it says nothing."""
    answer = requests.get(f"{any_era.url}/api/version?skip_external=true", timeout=9)
    if any_era.era is PLATFORM_2018:
        assert answer.status_code == 404
    elif any_era.era is X_2019:
        assert answer.json() == {
            "platform": "0.20.3",
            "stack": {"production": "3.6.21", "worker": "3.6.21"},
        }
    else:
        assert answer.json()["rasa-x"] == any_era.era.product
        assert answer.json()["keys"][0]["alg"] == "RS256"


def test_routes_of_each_era(any_era: RasaXServer):
    """New names are missing in old servers, and routes without a project until 1.0."""
    client = Client(any_era)
    new = client("GET", f"{PROJECT}/training_examples").status_code
    old = client("GET", f"{PROJECT}/data").status_code
    rules = client("GET", "/rules").status_code
    expected = {"2018": (404, 404, 404), "2019": (404, 200, 404), "2020": (404, 200, 404)}
    assert (new, old, rules) == expected.get(any_era.era.name, (200, 200, 200))
    without_project = client("GET", "/models/tags/production").json()["message"]
    assert ("Requested URL" in without_project) == (any_era.era is not ENTERPRISE_1)


@pytest.mark.parametrize("era", [X_2019, X_2020, X_2021], ids=lambda era: era.name)
def test_status_of_tags(tmp_path: Path, archive: Path, era: Era):
    """200 with the tag, later 204."""
    with rasa_x(tmp_path, era=era) as server:
        server.add_model("one", archive)
        answer = Client(server)("PUT", f"{PROJECT}/models/one/tags/production")
    assert answer.status_code == era.tag_status
    assert bool(answer.content) == (era.tag_status == 200)


def test_settings_of_2019_are_json(any_era: RasaXServer):
    """`config.yml` comes as text, before 2020 inside an object, in 2018 not at all."""
    answer = Client(any_era)("GET", f"{PROJECT}/settings")
    if any_era.era is PLATFORM_2018:
        assert answer.status_code == 404
    elif any_era.era is X_2019:
        assert answer.json() == {"nlu_config": PARTS.config}
    else:
        assert answer.text == PARTS.config


def test_lists_of_examples_bare_or_wrapped(tmp_path: Path):
    """Both shapes occur, with the number of all examples in a header."""
    for wrapped in (None, "data"):
        with rasa_x(tmp_path / str(wrapped), era=replace(X_2021, listed_under=wrapped)) as server:
            server.put(PARTS)
            answer = Client(server)("GET", f"{PROJECT}/training_examples", {"limit": 2})
            content = answer.json()
            assert len(content["data"] if wrapped else content) == 2
            assert answer.headers["X-Total-Count"] == "24"


def zipped(archive: Path, into: Path) -> Path:
    """The model as the folder that 2018 zipped."""
    with tarfile.open(archive) as tar, zipfile.ZipFile(into, "w") as target:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                target.writestr(f"model/{member.name}", file.read())
    return into


def test_platform_of_2018(tmp_path: Path, archive: Path):
    """Zipped models under `models/nlu`, the tag `active`, wrapped evaluations, `data.json`."""
    with rasa_x(tmp_path / "server", era=PLATFORM_2018, parts=PARTS) as server:
        client = Client(server)
        folder = zipped(archive, tmp_path / "one.zip")
        models = f"{PROJECT}/models/nlu"
        assert client.upload(folder, "one.zip", models).status_code == 201
        assert client.upload(archive, "two.tar.gz", models).status_code == 400
        server.switches.fixed_evaluations["one"] = {"f1_score": 0.5}
        assert client("PUT", f"{models}/one/tags/active").status_code == 204
        assert client("GET", models).json() == [{"model": "one", "tags": ["active"]}]
        assert client("PUT", f"{PROJECT}/evaluations/one").ok
        evaluation = client("GET", f"{PROJECT}/evaluations/one").json()
        assert evaluation["intent_evaluation"]["f1_score"] == 0.5
        assert client("GET", f"{models}/one").content == folder.read_bytes()
        pulled = client("GET", f"{models}/tags/active")
        assert pulled.headers["filename"] == "one.tar.gz"
        assert client("GET", f"{PROJECT}/data.json").json()["rasa_nlu_data"]["common_examples"]


# Training data


def test_examples(client: Client):
    """Examples can be added, found by the hash of their text, changed and deleted."""
    new = {"text": "two pizzas", "intent": "order"}
    added = client("POST", f"{PROJECT}/training_examples", json=new).json()
    assert client("GET", f"{PROJECT}/training_examples/{added['hash']}").json() == added
    one = f"{PROJECT}/training_examples/{added['id']}"
    changed = client("PUT", one, json={"intent": "greet"}).json()
    assert (changed["intent"], changed["text"]) == ("greet", "two pizzas")
    assert client("DELETE", one).json() == {"ok": f"Example {added['id']} deleted"}
    assert client("DELETE", one).status_code == 404
    assert client("POST", f"{PROJECT}/data", json={"examples": [new, new]}).ok
    found = client("GET", f"{PROJECT}/data", {"q": "PIZZAS", "intent": "order,greet"})
    assert [each["text"] for each in found.json()] == ["two pizzas"] * 2
    assert found.headers["X-Total-Count"] == "2"


def test_entities_of_examples(client: Client):
    """Annotations become positions in the plain text."""
    found = client("GET", f"{PROJECT}/training_examples", {"q": "burgers"}).json()
    (example,) = found
    assert example["text"] == "bring me two burgers please"
    (entity,) = example["entities"]
    assert (entity["entity"], entity["value"]) == ("dish", "burger")
    assert example["text"][entity["start"] : entity["end"]] == "burgers"


def test_examples_are_replaced(client: Client, server: RasaXServer):
    """PUT replaces everything, as JSON or as YAML; what is neither is 400."""
    examples = [{"text": "hello", "intent": "greet"}]
    body = {"rasa_nlu_data": {"common_examples": examples}}
    answer = client("PUT", f"{PROJECT}/training_examples", json=body)
    assert answer.json() == {"ok": "data uploaded"}
    assert [each["text"] for each in server.data.nlu] == ["hello"]
    yaml = {"Content-Type": "text/yaml"}
    assert client("PUT", f"{PROJECT}/data", data=NLU.encode(), headers=yaml).ok
    assert len(server.data.nlu) == 24
    bad = client("PUT", f"{PROJECT}/data", data=b"- 1", headers=yaml)
    assert (bad.status_code, set(bad.json())) == (400, {"exception", "reasons"})


def test_exports_by_format(client: Client):
    """`Accept` chooses the format of the export, which is a file to save."""
    starts = {
        "": ("application/x-yaml", 'version: "3.1"\nnlu:\n'),
        "application/x-yaml": ("application/x-yaml", 'version: "3.1"\nnlu:\n'),
        "application/json": ("application/json", '{"rasa_nlu_data"'),
        "text/markdown": ("text/markdown", "## intent:greet\n- hello\n"),
    }
    for accept, (kind, start) in starts.items():
        answer = client("GET", f"{PROJECT}/training_data", headers={"Accept": accept or "*/*"})
        assert answer.headers["Content-Type"].partition(";")[0] == kind
        assert answer.text.startswith(start)
        assert answer.headers["Content-Disposition"].startswith("attachment")
    old = client("GET", f"{PROJECT}/data.json").json()["rasa_nlu_data"]
    assert len(old["common_examples"]) == 24
    assert old["entity_synonyms"] == [{"value": "burger", "synonyms": ["burgers", "hamburger"]}]
    assert "## synonym:burger\n- burgers\n" in client("GET", f"{PROJECT}/data.md").text


def test_lookups_synonyms_regexes(client: Client):
    """Each has its own routes, with other words for the same things."""
    assert client("GET", f"{PROJECT}/regexes").json() == [
        {"id": 1, "name": "time", "pattern": "[0-9]+ o'clock"}
    ]
    (table,) = client("GET", f"{PROJECT}/lookupTables").json()
    assert table == {"id": 1, "name": "dish", "number_of_elements": 3}
    assert client("GET", f"{PROJECT}/lookupTables/1").text == "pizza\nsoup\nburger\n"
    content = {"filename": "city.txt", "content": "Um9tZQpQYXJpcwo="}
    assert client("POST", f"{PROJECT}/lookupTables", json=content).json()["id"] == 2
    assert client("GET", f"{PROJECT}/lookupTables/2").text == "Rome\nParis\n"
    (synonym,) = client("GET", f"{PROJECT}/synonyms", {"mapped_value": "burgers"}).json()
    assert synonym["synonym_reference"] == "burger"
    assert [each["value"] for each in synonym["mapped_values"]] == ["burgers", "hamburger"]


def test_malformed_forms(client: Client):
    """A form that is cut off is the client's fault, 400."""
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client("POST", f"{PROJECT}/models", data=b"--y\r\n", headers=headers)
    assert answer.status_code == 400


def test_stories_and_rules(client: Client, server: RasaXServer):
    """Each is a fragment that Rasa reads; they stand below the API itself, not a project."""
    (story,) = client("GET", "/stories").json()
    assert story["story"].startswith("version: '3.1'\nstories:\n- story: hello\n")
    assert [each["is_rule"] for each in client("GET", "/rules").json()] == [True] * 4
    assert len(client("GET", "/rules", {"limit": 2, "offset": 3}).json()) == 1
    yaml = {"Content-Type": "text/yaml"}
    body = b"stories:\n- story: x\n  steps: []\n"
    added = client("POST", "/stories", {"test_stories": "true"}, data=body, headers=yaml).json()
    assert [each["is_test"] for each in added] == [False, True]
    assert len(client("PUT", "/stories", data=body, headers=yaml).json()) == 1
    assert client("POST", "/stories", data=b"[]", headers=yaml).status_code == 400
    assert client("DELETE", f"/stories/{server.data.stories[0]['id']}").status_code == 204
    markdown = {"Content-Type": "text/markdown"}
    text = b"## one\n* greet\n  - utter_greet\n\n## two\n* bye\n"
    assert len(client("POST", "/stories", data=text, headers=markdown).json()) == 2
    assert client("GET", "/stories.md").text.startswith("## one\n* greet")


def test_config_domain_responses(client: Client, server: RasaXServer):
    """Config and domain are texts; responses are known one by one."""
    assert client("GET", "/domain").text == DOMAIN
    assert client("GET", "/domains").json()[0]["content_yaml"] == DOMAIN
    responses = client("GET", "/responses", {"q": "hello"})
    assert responses.json()["responses"] == [
        {"id": 1, "response_name": "utter_greet", "text": "Hello"}
    ]
    assert client("GET", "/templates").headers["X-Total-Count"] == "5"
    bad = client("POST", "/responses", json={"response_name": "greet", "text": "x"})
    assert bad.status_code == 422
    text = {"Content-Type": "text/plain"}
    assert client("PUT", f"{PROJECT}/settings", data="a: [", headers=text).status_code == 400
    assert client("PUT", f"{PROJECT}/settings", data="a: 1", headers=text).status_code == 422
    server.put(Parts())
    assert client("GET", f"{PROJECT}/settings").status_code == 400
    assert client("GET", "/domain").status_code == 400


def test_the_domain_of_2019_fails_with_templates(tmp_path: Path):
    """A known fault of 0.20: 500 with `store_templates`."""
    with rasa_x(tmp_path, era=X_2019) as server:
        client, text = Client(server), {"Content-Type": "text/plain"}
        query: dict[str, object] = {"store_templates": "true"}
        assert client("PUT", "/domain", query, data=DOMAIN, headers=text).status_code == 500
        assert client("PUT", "/domain", data=DOMAIN, headers=text).ok


def test_inbox(client: Client, server: RasaXServer):
    """Messages come the newest first, and those in the training data only if asked for."""
    for text in ("hello", "good day", "how do you do"):
        server.add_message(text, "greet")
    logs = client("GET", f"{PROJECT}/logs", {"limit": 1})
    assert [each["user_input"]["text"] for each in logs.json()] == ["how do you do"]
    assert logs.headers["X-Total-Count"] == "2"
    all_ = client("GET", f"{PROJECT}/logs", {"exclude_training_data": "false"})
    assert all_.headers["X-Total-Count"] == "3"
    one = logs.json()[0]
    assert client("GET", f"{PROJECT}/logs/{one['hash']}").json() == one
    assert client("DELETE", f"{PROJECT}/logs/{one['id']}").text == f"Log {one['id']} archived"
    assert client("DELETE", f"{PROJECT}/logs/{one['id']}").status_code == 400


def test_as_many_examples_as_wanted(client: Client, server: RasaXServer):
    """100,000 examples are made up while they are sent, in every format."""
    server.put(Parts(nlu=NLU, generated=100_000))
    page = client("GET", f"{PROJECT}/training_examples", {"offset": 100_000, "limit": 500})
    assert page.headers["X-Total-Count"] == "100024"
    assert [each["id"] for each in page.json()] == list(range(100_001, 100_025))
    begun = time.monotonic()
    yaml = client("GET", f"{PROJECT}/training_data", stream=True)
    lines = sum(line.startswith(b"    - ") for line in yaml.iter_lines(1 << 16))
    assert lines == 100_024 + 6  # synonyms, a regex and a lookup table besides
    assert time.monotonic() - begun < 60
    content = json.loads(client("GET", f"{PROJECT}/data.json").content)
    texts = {each["text"] for each in content["rasa_nlu_data"]["common_examples"]}
    assert len(texts) == 100_024


# The description


def test_every_operation_is_described_and_served():
    """The description and the server have the same operations, each in some era."""
    assert set(OPERATIONS) == set(HANDLERS)
    for operation in OPERATIONS.values():
        assert any(exists(trait, era) for trait in operation.routes.values() for era in ERAS)


def test_breaches_of_the_client_fail_the_test(tmp_path: Path):
    """A wrong query, media type or body is answered, and told at the end of the block."""

    def block() -> None:
        with rasa_x(tmp_path) as server:
            client = Client(server)
            client("GET", f"{PROJECT}/models", {"page": 2})
            client("PUT", f"{PROJECT}/settings", json={"a": 1})
            client("POST", "/auth", json={"user": "me"})
            client("PUT", f"{PROJECT}/models/one/tags/production", json={})

    with pytest.raises(AssertionError, match="the client broke the description") as raised:
        block()
    told = str(raised.value)
    assert "GET /api/projects/default/models: unknown in the query: page" in told
    assert "PUT /api/projects/default/settings: sends 'application/json'" in told
    assert "POST /api/auth: $: 'password' is a required property" in told
    assert "tags/production: has a body" in told


def test_breaches_of_the_server_fail_the_test(tmp_path: Path, archive: Path):
    """What the server itself answers is held against the description too."""

    def block() -> None:
        with rasa_x(tmp_path) as server:
            server.add_model("one", archive).tags.add(7)  # type: ignore[arg-type]
            Client(server)("GET", f"{PROJECT}/models")

    with pytest.raises(AssertionError, match="the server broke its description") as raised:
        block()
    assert "$[0].tags[0]: 7 is not of type 'string'" in str(raised.value)


def test_a_crash_of_the_server_fails_the_test(tmp_path: Path):
    """A fault of its own is told with its trace, however the client took the 500."""

    def block() -> None:
        with rasa_x(tmp_path) as server:
            server.data.stories = [{}]
            assert Client(server)("GET", "/stories").status_code == 500

    with pytest.raises(AssertionError, match="KeyError: 'story'"):
        block()


# Evaluations and training


def test_fixed_evaluations(client: Client, server: RasaXServer, archive: Path):
    """Figures given by the test, missing ones included."""
    server.add_model("one", archive)
    evaluation = f"{PROJECT}/evaluations/one"
    assert client("GET", evaluation).status_code == 404
    assert client("PUT", evaluation).status_code == 400  # nobody could compute it
    server.switches.fixed_evaluations["one"] = {"f1_score": None, "accuracy": 0.5}
    assert client("PUT", evaluation).json()["f1_score"] is None
    assert client("GET", evaluation).json()["accuracy"] == 0.5
    (listed,) = client("GET", f"{PROJECT}/evaluations").json()
    assert (listed["model"]["model"], listed["intent_evaluation"]["accuracy"]) == ("one", 0.5)
    assert client("DELETE", evaluation).status_code == 204
    assert client("GET", evaluation).status_code == 404
    assert client("PUT", f"{PROJECT}/evaluations/two").status_code == 404
    server.switches.evaluation_fails = True
    failed = client("PUT", evaluation)
    assert (failed.status_code, failed.json()["reason"]) == (500, "TestingError")


def test_evaluations_absent(tmp_path: Path):
    """A server without them answers as for any unknown route."""
    with rasa_x(tmp_path, era=replace(X_2020, has_evaluations=False)) as server:
        answer = Client(server)("PUT", f"{PROJECT}/evaluations/one")
    assert answer.json()["message"].startswith("Requested URL")


def test_a_training_job(client: Client, server: RasaXServer, archive: Path):
    """It makes a model, or says that nothing changed."""
    assert client("POST", f"{PROJECT}/models/jobs").status_code == 400  # no Rasa behind it
    server.switches.fixed_training = archive
    trained = client("POST", f"{PROJECT}/models/jobs")
    assert trained.status_code == 200
    assert list(server.tags()) == [trained.json()["model"]]
    again = client("POST", f"{PROJECT}/models/jobs")
    assert (again.status_code, set(again.json())) == (201, {"info", "path"})


@pytest.mark.parametrize(("era", "status"), [(X_2020, 500), (X_2021, 422)])
def test_a_failing_training_job(tmp_path: Path, era: Era, status: int):
    """Its status changed over the years; Rasa's own error is inside."""
    with rasa_x(tmp_path, era=era, switches=Switches(training_fails="bad data")) as server:
        answer = Client(server)("POST", f"{PROJECT}/models/jobs")
    assert (answer.status_code, answer.json()["reason"]) == (status, "StackTrainingFailed")
    assert answer.json()["details"]["message"] == "bad data"


def test_a_job_goes_on_after_a_gateway_timeout(server: RasaXServer, archive: Path):
    """The model of a job whose connection was cut appears later."""
    server.switches.fixed_training = archive
    with fault_proxy(server.url) as proxy:
        proxy.on("POST", "/models/jobs$", Page(504, forwarded=True))
        job = f"{proxy.url}/api{PROJECT}/models/jobs?api_token={server.api_token}"
        assert requests.post(job, timeout=30).status_code == 504
        wait_until(lambda: len(server.tags()) == 1, seconds=20)


# With real Rasa


@pytest.mark.rasa
def test_rasa_reads_what_is_exported(
    rasa: RasaClient, project: Project, client: Client, tmp_path: Path
):
    """The YAML and JSON exports hold the examples that were stored, with their annotations."""
    known = rasa.read_examples([project.root / "data" / "nlu.yml"])
    expected = sorted((e.text, e.label, e.entities) for e in known)
    for accept, name in (("application/x-yaml", "nlu.yml"), ("application/json", "nlu.json")):
        answer = client("GET", f"{PROJECT}/training_data", headers={"Accept": accept})
        (tmp_path / name).write_bytes(answer.content)
        found = rasa.read_examples([tmp_path / name])
        assert sorted((e.text, e.label, e.entities) for e in found) == expected


@pytest.mark.rasa
def test_evaluations_are_rasas_own(
    tmp_path: Path, rasa: RasaClient, project: Project, fast_model: Path
):
    """The figures are the model's on the stored examples, and it has a tag while it is measured."""
    with rasa_x(tmp_path, era=X_2021, parts=PARTS, rasa=rasa) as server:
        client, seen = Client(server), set[str]()
        server.add_model("one", fast_model, tag="production")
        server.store.on_tag = seen.add
        evaluation = client("PUT", f"{PROJECT}/evaluations/one").json()
        examples = rasa.read_examples([project.root / "data" / "nlu.yml"])
        answers = rasa.predict(fast_model, [e.text for e in examples], lambda _: None)
        metrics = measure(examples, answers).metrics
        assert evaluation["f1_score"] == pytest.approx(metrics["f1_weighted"])
        assert evaluation["report"]["weighted avg"]["f1-score"] == evaluation["f1_score"]
        assert len(evaluation["predictions"]) == len(examples)
        assert seen == {"evaluation"}
        assert server.tags() == {"one": {"production"}}


@pytest.mark.rasa
def test_reports_in_text_and_zipped_models(tmp_path: Path, rasa: RasaClient, fast_model: Path):
    """Old servers print a table; those of 2018 evaluate a zipped folder."""
    era = replace(PLATFORM_2018, text_report=True)
    with rasa_x(tmp_path / "server", era=era, parts=PARTS, rasa=rasa) as server:
        server.add_model("one", zipped(fast_model, tmp_path / "one.zip"))
        answer = Client(server)("PUT", f"{PROJECT}/evaluations/one").json()
    table = answer["intent_evaluation"]["report"]
    assert table.split()[:4] == ["precision", "recall", "f1-score", "support"]
    assert "weighted avg" in table


@pytest.mark.rasa
def test_a_real_training_job(tmp_path: Path, rasa: RasaClient):
    """The job trains on what is stored, and a project at fault is its failure."""
    parts = replace(PARTS, stories="")
    with rasa_x(tmp_path, parts=parts, rasa=rasa) as server:
        client = Client(server)
        name = client("POST", f"{PROJECT}/models/jobs").json()["model"]
        assert client("PUT", f"{PROJECT}/models/{name}/tags/production").status_code == 204
        server.put(replace(parts, config="language: en\npipeline: [{name: Nothing}]\n"))
        failed = client("POST", f"{PROJECT}/models/jobs")
        assert failed.status_code == 422
        assert "Nothing" in failed.json()["details"]["message"]
        assert len(server.tags()) == 1


@pytest.mark.rasa
def test_a_real_rasa_server_follows_the_tag(
    tmp_path: Path, rasa_python: Path, rasa: RasaClient, project: Project, fast_model: Path
):
    """Rasa pulls the model with the tag when it starts, and the next one when the tag moves."""
    second = rasa.train(project, "second", tmp_path / "models", lambda _: None)
    with rasa_x(tmp_path / "x", era=ENTERPRISE_1) as server:
        server.add_model("one", fast_model, tag="production")
        server.add_model("two", second)
        url = f"{server.url}/api/models/tags/production"
        endpoints = pulling(url, token=server.service_token)
        with rasa_server(rasa_python, tmp_path / "rasa", endpoints=endpoints) as running:
            wait_until(lambda: serves(running, fast_model, "one"), seconds=60)
            Client(server)("PUT", f"{PROJECT}/models/two/tags/production")
            wait_until(lambda: serves(running, second, "two"), seconds=60)
            pulled = server.count("model_by_tag")
            wait_until(lambda: server.count("model_by_tag") > pulled + 1, seconds=30)
            last = [seen for seen in server.requests if seen.operation == "model_by_tag"][-1]
            assert last.status == 304


def serves(running: RasaServer, archive: Path, name: str) -> bool:
    status, model_id = running.status(), read_metadata(archive)["model_id"]
    return (status.get("model_file"), status.get("model_id")) == (f"{name}.tar.gz", model_id)
