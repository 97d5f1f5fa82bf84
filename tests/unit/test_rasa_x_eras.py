"""The eras of Rasa X, told by its versions."""

import pytest

from retrainer.adapters.rasa_x.eras import Era, ServerVersion, era_of


@pytest.mark.parametrize(
    ("said", "era"),
    [
        ({"platform": "0.17.1", "stack": {"production": "0.13.0"}}, Era.PLATFORM),
        ({"platform": "0.18.2"}, Era.PLATFORM),
        ({"platform": "0.20.3", "stack": {"production": "1.2.0"}}, Era.FIRST),
        ({"rasa-x": "0.28.1"}, Era.EARLY),
        ({"rasa-x": "0.33.2", "rasa": {"production": "1.10.0"}}, Era.EARLY),
        ({"rasa-x": "0.34.0"}, Era.LATE),
        ({"rasa-x": "0.42.6"}, Era.LATE),
        ({"rasa-x": "1.0.1", "enterprise": True}, Era.ENTERPRISE),
        ({"rasa-x": "1.4.0"}, Era.ENTERPRISE),
        ({"rasa-x": "unknown"}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_version_tells_the_era(said, era):
    """What `/api/version` says is enough, and nonsense tells nothing."""
    assert era_of(ServerVersion.from_json(said)) is era


def test_the_rasa_server_is_told_in_old_and_new_words():
    """The version of the production Rasa server is read from `rasa` and from `stack`."""
    new = ServerVersion.from_json({"rasa-x": "1.0.1", "rasa": {"production": "3.1.0"}})
    old = ServerVersion.from_json({"platform": "0.20.3", "stack": {"production": "1.2.0"}})
    assert (new.rasa, new.platform) == ("3.1.0", False)
    assert (old.rasa, old.platform) == ("1.2.0", True)
