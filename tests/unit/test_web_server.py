"""Where the model server may listen."""

import pytest

from retrainer.errors import EXIT_CONFIGURATION, ConfigurationError
from retrainer.settings import load
from retrainer.web import address_of, listen

CONFIG = """
[assistants.shop]
source = { type = "directory", path = "shop" }
[http]
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9"])
def test_this_machine_alone_needs_no_token(host):
    """Only programs on this machine reach a loopback address."""
    with listen(host, 0, token=False) as listening:
        assert address_of(listening).startswith("http://")
        assert listening.getsockname()[1] > 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_an_address_that_others_reach_needs_a_token(host):
    """Without one nothing is bound, and the tip says how to set one."""
    with pytest.raises(ConfigurationError, match="there is no token") as caught:
        listen(host, 0, token=False)
    assert caught.value.exit_code == EXIT_CONFIGURATION
    assert "RETRAINER_HTTP__TOKEN" in caught.value.tip


def test_with_a_token_any_address_will_do():
    """The address that is shown can be used elsewhere, so it is not 0.0.0.0."""
    with listen("0.0.0.0", 0, token=True) as listening:
        assert "0.0.0.0" not in address_of(listening)
        assert address_of(listening).endswith(f":{listening.getsockname()[1]}")


def test_an_address_that_is_not_to_be_had_is_a_wrong_configuration():
    """Somebody else's port, another machine's address, a name that is none."""
    with listen("127.0.0.1", 0, token=False) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port = {port}: Address already in use"):
            listen("127.0.0.1", port, token=False)
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.7.*Cannot assign"):
        listen("192.0.2.7", 0, token=True)
    with pytest.raises(ConfigurationError, match=r"aaa' is no address or name"):
        listen("a" * 64, 0, token=False)


@pytest.mark.parametrize("wrong", ['token = ""', 'host = ""', "port = 70000", "port = -1"])
def test_an_empty_token_is_none_that_was_forgotten(tmp_path, wrong):
    """What cannot be meant is refused, and a token is in no error."""
    config = tmp_path / "retrainer.toml"
    config.write_text(CONFIG + wrong)
    with pytest.raises(ConfigurationError, match=f"http.{wrong.split()[0]}: "):
        load(config, {})
    config.write_text(CONFIG + "tokn = 'SECRET'\ntoken = 5\n")
    with pytest.raises(ConfigurationError, match=r"http\.tokn: unknown key") as caught:
        load(config, {})
    assert "SECRET" not in str(caught.value)
