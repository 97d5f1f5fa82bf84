"""Where the action server is, by the config."""

import pytest
from pydantic import ValidationError

from retrainer.adapters.action_server import HttpActionServer
from retrainer.settings import AssistantSettings
from retrainer.settings.model import EvaluationSettings, PluginSettings
from retrainer.wiring.assistant import action_server_of


def assistant(url: str) -> AssistantSettings:
    """An assistant whose action server is there."""
    source = PluginSettings(type="directory")
    return AssistantSettings(source=source, evaluation=EvaluationSettings(action_server=url))


def test_none_is_asked_by_default():
    """Without an address there is nobody to ask."""
    assert action_server_of(assistant("")) is None


@pytest.mark.parametrize("url", ["http://actions:5055", "https://a.example.org/actions/webhook"])
def test_an_address_leads_to_a_server(url):
    """What stands in Rasa's endpoints.yml is taken as it is."""
    server = action_server_of(assistant(url))
    assert isinstance(server, HttpActionServer)


@pytest.mark.parametrize(
    "url",
    ["actions:5055", "ftp://actions", "http://", "http://user:secret@actions", "http://a?token=1"],
)
def test_what_is_no_address_is_refused(url):
    """Before a cycle begins, and without a word of what may be a secret."""
    with pytest.raises(ValidationError) as caught:
        EvaluationSettings(action_server=url)
    assert url not in str(caught.value)
    assert "a http or https address is needed" in str(caught.value)
