"""What git says, and what people are told."""

from pathlib import Path

import pytest

from retrainer.adapters.git.faults import GitFailed, PushRaced, ShallowRefused, explained
from retrainer.adapters.git.remote import GitOptions, GitRemote
from retrainer.adapters.processes import ProcessFailed, ProcessTimedOut
from retrainer.errors import ProjectError, ServerError, StorageError

TOKEN = "glpat-SECRET"
REMOTE = GitRemote.from_options(
    GitOptions.model_validate({"url": "https://git.example.com/bank.git", "token": TOKEN}),
    folder=Path("/"),
)


def told(said: str, command: str = "git fetch ended with 128:"):
    return explained(ProcessFailed(f"{command}\n{said}"), REMOTE, "fetching")


@pytest.mark.parametrize(
    ("said", "message", "kind"),
    [
        ("fatal: Authentication failed for 'https://x/'", "does not accept the token", ServerError),
        (
            "fatal: could not read Username for 'https://x': terminal prompts disabled",
            "does not accept the token, or asks for one",
            ServerError,
        ),
        (
            "fatal: unable to access 'x': The requested URL returned error: 403",
            "not allow",
            ServerError,
        ),
        (
            "remote: Repository not found.\nfatal: repository 'x' not found",
            "no such repo",
            ServerError,
        ),
        ("ERROR: Repository not found.\nfatal: Could not read", "no such repository", ServerError),
        (
            "git@h: Permission denied (publickey).\nfatal: Could not read",
            "key was refused",
            ServerError,
        ),
        ("Host key verification failed.\nfatal: Could not read", "key is not known", ServerError),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "another key",
            ServerError,
        ),
        ("fatal: unable to access 'x': Could not resolve host: h", "name of the host", ServerError),
        ("ssh: connect to host h port 22: Connection refused", "cannot be reached", ServerError),
        ("fatal: SSL certificate problem: self-signed certificate", "not trusted", ServerError),
        ("fatal: transport 'ext' not allowed", "kind that is not allowed", ServerError),
        ("fatal: detected dubious ownership in repository at 'x'", "another user", ServerError),
        ("fatal: write error: No space left on device", "disk is full", StorageError),
        (
            "fatal: dumb http transport does not support shallow capabilities",
            "part of",
            ShallowRefused,
        ),
        ("fatal: remote error: upload-pack: not our ref 00", "part of a history", ShallowRefused),
        (
            " ! [rejected] a -> main (fetch first)\nerror: failed to push",
            "somebody else",
            PushRaced,
        ),
        (
            " ! [rejected] v1 -> v1 (already exists)\nerror: failed to push",
            "somebody else",
            PushRaced,
        ),
        (
            " ! [remote rejected] a -> main (protected branch hook declined)",
            "refused it",
            ServerError,
        ),
        ("fatal: unable to read tree 0123", "failed (fatal: unable to read tree", GitFailed),
    ],
)
def test_the_words_of_git_become_one_clear_error(said: str, message: str, kind: type[Exception]):
    """Each names the repository, what was done, what it means and what to do next."""
    error = told(said)
    assert type(error) is kind
    assert message in error.message
    assert error.message.startswith("https://git.example.com/bank.git: fetching failed")
    assert error.tip or kind is GitFailed


def test_the_command_line_is_no_answer():
    """A folder named as a fault is none."""
    error = told("fatal: bad object", "git --git-dir /srv/connection refused/x ended with 128:")
    assert type(error) is GitFailed


def test_no_secret_is_repeated():
    """Whatever git or the server says."""
    assert TOKEN not in str(told(f"remote: your token {TOKEN} has expired\nfatal: {TOKEN}"))


def test_a_missing_git_is_the_configurations_fault():
    """It says how to get one."""
    failed = ProcessFailed("gitt could not be started: No such file or directory")
    error = explained(failed, REMOTE, "fetching")
    assert isinstance(error, ProjectError)
    assert "install git" in (error.tip or "")


def test_a_limit_of_time_names_itself():
    """How long, and which option."""
    error = explained(ProcessTimedOut("git fetch took longer than 600 s"), REMOTE, "fetching")
    assert error.message == "https://git.example.com/bank.git: fetching took longer than 600 s"
    assert "timeout" in (error.tip or "")
