"""What git and ssh say when something goes wrong, and what that means for people.

Git has no codes for its errors. Its words are those of `LC_ALL=C`, which have been the same for
many versions; what is not known here is passed on as it is.
"""

import re
from dataclasses import dataclass

from retrainer.adapters.git.remote import LARGEST_FILE, GitRemote
from retrainer.adapters.http.redaction import redacted
from retrainer.adapters.processes import ProcessFailed, ProcessTimedOut
from retrainer.errors import ProjectError, RetrainerError, ServerError, StorageError


class GitFailed(ServerError):
    """Git failed in a way that is not known; a damaged cache may be the reason."""


class ShallowRefused(ServerError):
    """The server sends whole histories only, or no commit but those of its branches and tags."""


class PushRaced(ServerError):
    """Somebody else pushed meanwhile."""


@dataclass(frozen=True)
class _Fault:
    words: str
    message: str
    tip: str | None = None
    kind: type[RetrainerError] = ServerError


_TELLING = re.compile(r"(?i)fatal: |error: |remote: |ssh: |\S+@\S+: |! ")
#: The first whose words are found counts.
_FAULTS = (
    _Fault("no space left on device", "the disk is full", "free space", StorageError),
    _Fault(
        r"signal 25|file too large|file size limit exceeded|maximum allowed size",
        f"more than {LARGEST_FILE} bytes would have to be written to one file",
        "set depth to 1; or does somebody send what is no project?",
        ProjectError,
    ),
    _Fault(
        "remote host identification has changed|host key for .* has changed",
        "the host shows another key than the one that is known of it",
        "make sure that it is your host; then replace its line in known_hosts",
    ),
    _Fault(
        r"host key verification failed|no .* host key is known",
        "the host's key is not known, and so not trusted",
        "add it to known_hosts (`ssh-keyscan HOST`, compared with what its owner publishes), or "
        "set trust_new_hosts",
    ),
    _Fault(
        r"unprotected private key|bad permissions",
        "ssh does not use a key file that others may read",
        "`chmod 600` the key_file",
    ),
    _Fault(
        r"permission denied \(|too many authentication failures|load key .*(?:invalid|error)",
        "the ssh key was refused",
        "add its public half at the server, or set key_file; a key with a passphrase has to be in "
        "an ssh agent (SSH_AUTH_SOCK)",
    ),
    _Fault(
        r"authentication failed|returned error: 401|could not read (?:username|password)"
        r"|access denied|invalid credentials",
        "the server does not accept the token, or asks for one",
        "set token (and username, where the server wants a certain one)",
    ),
    _Fault(
        r"returned error: 403|write access .*not granted|not allowed to (?:push|upload)",
        "the server does not allow this with these credentials",
        "give the token, or the key, the right to read (and to write, to push)",
    ),
    _Fault(
        r"repository not found|repository '.*' not found|does not appear to be a git repository"
        r"|returned error: 404|project you were looking for|no such device or address",
        "there is no such repository, or these credentials may not see it",
        "check url; many servers hide a private repository from those who may not read it",
    ),
    _Fault(r"could not resolve host", "the name of the host is not known", "check the host in url"),
    _Fault(
        r"certificate verif|ssl certificate|self[- ]signed certificate|local issuer certificate",
        "the server's certificate is not trusted",
        "set ca_file to the file of your certificate authority",
    ),
    _Fault(
        r"transport '?\w*'? not allowed|unsafe value for|not allowed protocol",
        "the repository names an address of a kind that is not allowed to it",
        "use https or ssh addresses for its submodules",
    ),
    _Fault(
        r"connection refused|connection timed out|no route to host|failed to connect"
        r"|network is unreachable|couldn't connect|operation too slow|connection reset"
        r"|connection closed by|timeout was reached|server not responding|empty reply",
        "the server cannot be reached",
        "is it up? check the host and the port in url",
    ),
    _Fault(
        r"returned error: 5\d\d",
        "the server has trouble of its own",
        "look at the server's own log and status page; it is no fault of what was asked",
    ),
    _Fault(
        r"dubious ownership",
        "it belongs to another user, and git does not read such a repository",
        "`git config --global --add safe.directory FOLDER` as this user",
    ),
    _Fault(
        r"does not support shallow|not our ref|unadvertised object|shallow file has changed",
        "the server does not send a part of a history, or not this one",
        "set depth to 0",
        ShallowRefused,
    ),
    _Fault(
        r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to update ref"
        r"|\(already exists\)|incorrect old value|reference already exists|is at .* but expected",
        "somebody else pushes to it all the time",
        "the next attempt may succeed",
        PushRaced,
    ),
    _Fault(
        r"does not support --atomic",
        "the server cannot take a branch and its tags together",
        "set tag to false",
    ),
    _Fault(
        r"\[remote rejected\]|hook declined|denycurrentbranch",
        "the server refused it",
        "let this user push to the branch and make tags, or name another branch",
    ),
)


def explained(error: ProcessFailed, remote: GitRemote, doing: str) -> RetrainerError:
    """The error to raise for one of the git process; no secret is in it.

    GitFailed where the words are not known.
    """
    words = redacted(error.message, remote.secrets)
    if isinstance(error, ProcessTimedOut):
        return ServerError(
            f"{remote.place}: {doing} took longer than {remote.timeout:g} s",
            tip="is the server up? `timeout` is the limit",
        )
    if "could not be started" in words.partition("\n")[0]:
        return ProjectError(
            f"{words}, and {remote.place} is a git repository",
            tip=f"install git (on Debian: apt-get install git), or correct `git`: {remote.git!r}",
        )
    if "wrote more than" in words.partition("\n")[0]:
        return ProjectError(
            f"{remote.place}: {doing} failed: {words}",
            tip="it has more branches, or more files, than a project can have",
        )
    said = words.partition("\n")[2]  # without the command
    for fault in _FAULTS:
        if re.search(fault.words, said, re.IGNORECASE):
            told = f"{remote.place}: {doing} failed: {fault.message}{_quoted(said)}"
            return fault.kind(told, tip=fault.tip)
    tip = "`git ls-remote` of this address, as the user of this service, shows more"
    return GitFailed(f"{remote.place}: {doing} failed{_quoted(said)}", tip=tip)


def _quoted(words: str) -> str:
    """What git said, in at most three lines."""
    lines = [line.strip() for line in words.splitlines()]
    telling = [line for line in lines if _TELLING.match(line)] or lines
    said = [line.removeprefix("remote:").strip() for line in telling]
    return f" ({'; '.join(list(filter(None, dict.fromkeys(said)))[:3])})" if any(said) else ""
