"""Where a repository is, and that what is secret stays so."""

import shlex
from pathlib import Path

import pytest
from pydantic import ValidationError

from retrainer.adapters.git.remote import GitOptions, GitRemote, require_reference
from retrainer.errors import ConfigurationError

TOKEN = "glpat-SECRET/TOKEN+1"
HTTPS = "https://git.example.com:8443/bank.git"


def remote(folder: Path, **options: object) -> GitRemote:
    return GitRemote.from_options(GitOptions.model_validate(options), folder=folder)


def configuration(remote: GitRemote) -> dict[str, str]:
    """What git is told by the environment."""
    given = remote.environment
    return {
        given[f"GIT_CONFIG_KEY_{number}"]: given[f"GIT_CONFIG_VALUE_{number}"]
        for number in range(int(given["GIT_CONFIG_COUNT"]))
    }


@pytest.mark.parametrize(
    "url",
    [
        HTTPS,
        "ssh://git@git.example.com:2222/bank.git",
        "git@git.example.com:assistants/bank.git",
        "/srv/git/bank.git",
        "../bank.git",
        "file:///srv/git/bank.git",
        "http://127.0.0.1:3000/bank.git",
    ],
)
def test_addresses(url: str):
    """Every usual way to write an address is taken."""
    assert GitOptions(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "--upload-pack=touch /tmp/x",
        "ext::sh -c true",
        "git://git.example.com/bank.git",
        "ftp://git.example.com/bank.git",
        "https://git.example.com/bank.git\nmore",
        "https://[git.example.com/bank.git",
    ],
)
def test_other_addresses_are_refused(url: str):
    """Nothing that git would take for a program, an option or an unprotected protocol."""
    with pytest.raises(ValidationError):
        GitOptions(url=url)


@pytest.mark.parametrize(
    "url",
    [
        f"https://git:{TOKEN}@git.example.com/bank.git",
        f"https://{TOKEN}@git.example.com/bank.git",
        f"ssh://git:{TOKEN}@git.example.com/bank.git",
    ],
)
def test_a_password_in_the_address_is_refused(url: str):
    """It would be in the cache's configuration and in the list of processes; it is not repeated."""
    with pytest.raises(ValidationError) as refused:
        GitOptions(url=url)
    assert "set username and token" in str(refused.value)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://git.example.com/x.git", "git@git.example.com:x.git", "/srv/x"]
)
def test_a_token_goes_over_https_alone(url: str):
    """Whoever listens on the way does not learn it."""
    with pytest.raises(ValidationError, match="https://") as refused:
        GitOptions.model_validate({"url": url, "token": TOKEN})
    assert TOKEN not in str(refused.value)


def test_a_token_of_two_lines_is_refused():
    """A line break in it would be a further line of what git is told."""
    with pytest.raises(ValidationError, match="line break") as refused:
        GitOptions.model_validate({"url": HTTPS, "token": f"{TOKEN}\nhost=evil"})
    assert TOKEN not in str(refused.value)


def test_the_token_is_in_one_variable_alone(tmp_path: Path):
    """Git's configuration names the variable; nothing else holds the token, nor does a repr."""
    made = remote(tmp_path, url=HTTPS, token=TOKEN, username="ci")
    holders = [name for name, value in made.environment.items() if TOKEN in value]
    assert holders == ["RETRAINER_GIT_TOKEN"]
    assert made.environment["RETRAINER_GIT_USERNAME"] == "ci"
    assert TOKEN not in repr(made)
    told = configuration(made)
    assert told["credential.helper"] == ""
    assert "credential.https://git.example.com:8443.helper" in told


def test_without_a_token_the_users_own_credentials_are_used(tmp_path: Path):
    """A credential helper of the user's own configuration stays in use, and nobody is asked."""
    made = remote(tmp_path, url=HTTPS)
    assert not any(key.startswith("credential") for key in configuration(made))
    assert made.environment["GIT_TERMINAL_PROMPT"] == "0"
    assert made.environment["GIT_ASKPASS"] == ""


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (HTTPS, {"https", "ssh"}),
        ("http://127.0.0.1/x.git", {"http", "https", "ssh"}),
        ("git@git.example.com:x.git", {"https", "ssh"}),
        ("/srv/x.git", {"file", "https", "ssh"}),
    ],
)
def test_only_the_protocols_that_are_needed_are_allowed(
    tmp_path: Path, url: str, allowed: set[str]
):
    """A submodule's address cannot make git run a program or read a folder of this machine."""
    told = configuration(remote(tmp_path, url=url))
    assert told["protocol.allow"] == "never"
    found = {k.split(".")[1] for k in told if k.startswith("protocol.") and k.count(".") == 2}
    assert found == allowed
    assert told.get("protocol.file.allow") in (None, "user")


def test_ssh_asks_nobody_and_trusts_nobody_unknown(tmp_path: Path):
    """Neither a prompt nor an unknown host is accepted; a key file is the only key then."""
    (tmp_path / "my key").write_text("-")
    made = remote(
        tmp_path, url="git@git.example.com:x.git", key_file="my key", known_hosts="known hosts"
    )
    words = shlex.split(made.environment["GIT_SSH_COMMAND"])
    assert words[0] == "ssh"
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes"} < set(words)
    assert str(tmp_path / "my key") in words
    assert f'UserKnownHostsFile="{tmp_path / "known hosts"}"' in words


def test_new_hosts_are_trusted_when_that_is_asked_for(tmp_path: Path):
    """A changed key is still refused then."""
    made = remote(tmp_path, url="git@git.example.com:x.git", trust_new_hosts=True)
    assert "StrictHostKeyChecking=accept-new" in made.environment["GIT_SSH_COMMAND"]


@pytest.mark.parametrize("key", ["key_file", "ca_file"])
def test_a_missing_file_is_named_with_its_option(tmp_path: Path, key: str):
    """Before git is run at all."""
    url = HTTPS if key == "ca_file" else "git@git.example.com:x.git"
    with pytest.raises(ConfigurationError, match=f"{key} names {tmp_path / 'none'}"):
        remote(tmp_path, url=url, **{key: "none"})


def test_a_relative_folder_starts_at_the_config(tmp_path: Path):
    """Wherever the process was started."""
    assert remote(tmp_path / "conf", url="../bank.git").url == str(tmp_path / "bank.git")


@pytest.mark.parametrize("name", ["main", "feature/x", "v1.2.3", "käse", "a-b", "", "0" * 40])
def test_names_of_branches(name: str):
    """What git allows."""
    assert require_reference(name) == name


@pytest.mark.parametrize(
    "name",
    ["-x", "a..b", "a b", "a:b", "a^", "a~1", "a*", "a[", "a\\b", "a.lock", "a@{1}", "a/", "a\n"],
)
def test_other_names_are_refused(name: str):
    """An option, a pattern or an expression is no name."""
    with pytest.raises(ValueError, match="cannot be the name"):
        require_reference(name)
