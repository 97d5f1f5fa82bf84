"""What the platform `rasa_server` takes from the config, and how it signs and reads."""

import time

import jwt
import pytest
from pydantic import ValidationError

from retrainer.adapters.rasa_server.fleet import FleetOptions, WantedModel
from retrainer.adapters.rasa_server.parse import prediction
from retrainer.adapters.rasa_server.platform import RasaServerPlatform
from retrainer.adapters.rasa_server.server import LoadedModel, signed
from retrainer.domain.examples import Entity

ONE = ({"url": "http://rasa-1:5005"},)
MODEL_SERVER = {"url": "http://retrainer:5010/models/bank/champion"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "servers"),
        ({"servers": ()}, "at least 1 item"),
        ({"servers": ({"url": "rasa-1:5005"},)}, "it must be like http://HOST:5005"),
        ({"servers": ({"url": "http://me:secret@rasa-1"},)}, "without user, password"),
        ({"servers": ({"url": "http://rasa-1", "tokn": "x"},)}, "Extra inputs"),
        ({"servers": ({"url": "http://rasa-1", "token": ""},)}, "servers.0.token"),
        ({"servers": ONE, "activation": "push"}, "'pull', 'model_server' or 'file'"),
        ({"servers": ONE, "activation": "model_server"}, "go together"),
        ({"servers": ONE, "model_server": MODEL_SERVER}, "go together"),
        ({"servers": ONE, "path": "/m/{name}"}, "`path` is for"),
        ({"servers": ONE, "activation": "file", "path": "/m/model"}, "must hold {name}"),
        ({"servers": ONE, "folder": "models"}, "not an absolute path"),
        ({"servers": ONE, "unreachable": "ignore"}, "'hold' or 'promote'"),
        ({"servers": ONE, "confirm_within": 0}, "greater than 0"),
        ({"servers": ONE, "storage": {"url": "nowhere://x"}}, "storage"),
        ({"servers": ONE, "storage": {"url": "file:///m"}, "folder": "/m"}, "not in both"),
        (
            {"servers": ONE, "storage": {"url": "file:///m"}, "activation": "file"},
            "`path` is needed",
        ),
    ],
)
def test_what_cannot_work_is_refused_at_start(options, problem):
    """A typo or a contradiction in the config is an error before anything runs, without secrets."""
    with pytest.raises(ValidationError) as caught:
        RasaServerPlatform.Options(**options)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)


def test_models_may_be_kept_in_object_storage(tmp_path):
    """With `storage` the models lie where its URL says, and not in the state folder."""
    options = RasaServerPlatform.Options(servers=ONE, storage={"url": f"file://{tmp_path}/bucket"})
    made = RasaServerPlatform.from_options(options, folder=tmp_path / "state")
    assert (made.models(), made.active()) == ((), None)


def test_every_server_knows_who_asks():
    """A server's own token goes before the one of all."""
    options = FleetOptions(
        servers=({"url": "http://a"}, {"url": "http://b", "token": "own"}),
        server_token="shared",
        server_jwt_secret="s",
    )
    known = options.known_servers
    assert [s.token.get_secret_value() for s in known] == ["shared", "own"]
    assert [s.jwt_secret.get_secret_value() for s in known] == ["s", "s"]


def test_a_token_is_signed_as_the_standard_says():
    """Another implementation of JSON Web Tokens accepts it, and not with another secret."""
    claims = {"user": {"username": "retrainer", "role": "admin"}, "exp": int(time.time()) + 60}
    secret = "a secret of more than thirty-two characters"
    token = signed(claims, secret)
    assert jwt.decode(token, secret, algorithms=["HS256"]) == claims
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, secret[::-1], algorithms=["HS256"])


def test_an_answer_with_everything_in_it():
    """A fallback is undone for the classifier's own answer, and kept for what users get."""
    parsed = {
        "text": "from Rome",
        "intent": {"name": "nlu_fallback", "confidence": 0.6},
        "intent_ranking": [
            {"name": "nlu_fallback", "confidence": 0.6},
            {"name": "faq", "confidence": 0.4},
            {"name": "greet", "confidence": 0.1},
        ],
        "entities": [
            {"entity": "city", "value": "Rome", "start": 5, "end": 9, "role": "from", "group": "1"},
            {"entity": "number", "value": 3, "start": 0, "end": 1, "extractor": "DIETClassifier"},
            {"entity": "time", "value": {}, "extractor": "DucklingEntityExtractor"},
        ],
        "response_selector": {
            "all_retrieval_intents": ["faq"],
            "faq": {"response": {"intent_response_key": "faq/place"}},
            "default": {"response": {"intent_response_key": "faq/hours"}},
        },
    }
    answer = prediction("from Rome", parsed)
    assert (answer.intent, answer.confidence) == ("faq", 0.4)
    assert (answer.served_intent, answer.served_confidence) == ("nlu_fallback", 0.6)
    assert answer.entities == (
        Entity("city", "Rome", 5, 9, role="from", group="1"),
        Entity("number", "3", 0, 1),
    )
    assert answer.response == "faq/place"
    assert answer.ranking == (("faq", 0.4), ("greet", 0.1))


@pytest.mark.parametrize(
    ("selectors", "response"),
    [
        ({}, None),
        ({"default": {"response": {"intent_response_key": "faq/hours"}}}, "faq/hours"),
        ({"all_retrieval_intents": ["faq"], "default": {}}, None),
    ],
)
def test_the_selector_that_answers(selectors, response):
    """Without one for the intent it is the default one, if there is any."""
    intent = {"name": "faq", "confidence": 1.0}
    assert prediction("x", {"intent": intent, "response_selector": selectors}).response == response


@pytest.mark.parametrize(
    ("loaded", "same"),
    [
        (LoadedModel("id", "other.tar.gz"), True),
        (LoadedModel("other", "one.tar.gz"), False),
        (LoadedModel(None, "one.tar.gz"), True),
        (LoadedModel(None, "other.tar.gz"), False),
        (None, False),
    ],
)
def test_a_model_is_known_by_its_id(loaded, same):
    """Where a server does not say the id, the name of the file has to do."""
    assert WantedModel("one", "id", "one.tar.gz").is_in(loaded) is same
