"""What a repository may tell DVC to do, and what not.

DVC takes a repository at its word: its config may name files with credentials (and those, programs
that are run), and a `.dvc` file any other repository that this service may read. So both are looked
at first, line by line: only what is known to do no harm is let through.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from retrainer.adapters.plain_files import MAXIMUM_FILES
from retrainer.errors import ProjectError

#: Bytes of the config, and of a `.dvc` file.
_LARGEST = 100_000
_SECTION = re.compile(r"""\['?(?P<kind>[a-z]+)(?: "(?P<name>[^"\]]+)")?'?\]""")
_OPTION = re.compile(r"(?P<key>[a-z_]+)\s*=\s*(?P<value>(?!'''|\"\"\").*)")
#: The keys of each section that name no file, program or server of the service's own.
_ALLOWED = {
    "core": "remote analytics check_update interactive autostage hardlink_lock no_scm",
    "cache": "dir type shared protected slow_link_warning",  # overridden by ours
    "remote": "url region jobs timeout read_timeout connect_timeout version_aware worktree verify "
    "endpointurl use_ssl user port account_name projectname listobjects sse no_traverse "
    "max_sessions allow_anonymous_login auth method",
}
_HARMLESS = ("plots", "exp", "feature", "parsing")
#: What stands in a `.dvc` file of `dvc add`, a key a line; `deps` is that of an import.
_OUTPUT = re.compile(
    r"\s*(?:-\s+)?(?:outs:(?:\s*\[\])?|(?:md5|hash|size|nfiles|isexec|path|wdir|desc|remote|cache|persist|push"
    r"|frozen|type):\s+[^\s{\[&*!|>].*)\s*"
)


def require_harmless(root: Path, *, imports: bool) -> None:
    """Make sure that the DVC project at `root` makes DVC read no more than its own storage.

    With `imports` it may name other repositories and addresses to read from, too.

    Raises:
        ProjectError: it may do more, or that cannot be told.
    """
    own = root / ".dvc"
    if own.is_symlink() or not own.is_dir():
        raise ProjectError(f"{own} is not a folder", tip="`dvc init` makes one")
    for entry in own.iterdir():
        if entry.is_symlink():
            raise ProjectError(
                f".dvc/{entry.name} is a link, which DVC would write through",
                tip=f"remove .dvc/{entry.name} from the repository",
            )
    config = own / "config"
    if config.is_file():
        _require_harmless_config(_lines(config, ".dvc/config"))
    if not imports:
        for number, file in enumerate(root.rglob("*.dvc")):
            if number > MAXIMUM_FILES:
                raise ProjectError(f"the project has more than {MAXIMUM_FILES} .dvc files")
            if file.name != ".dvc" and not file.is_dir():
                name = file.relative_to(root).as_posix()
                _require_no_import(name, _lines(file, name))


def _require_harmless_config(lines: Iterable[str]) -> None:
    section, urls, endpoints = ("", ""), dict[str, str](), list[str]()
    for line in lines:
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        if header := _SECTION.fullmatch(said):
            section = (header["kind"], header["name"] or "")
            continue
        key, value = _option(section[0], said)
        if key == "url":
            urls[section[1]] = value
        elif key == "endpointurl":
            endpoints.append(section[1])
    for name in endpoints:  # to others than S3 an access token would be sent
        if not urls.get(name, "").startswith("s3://"):
            raise _refused(f"sets remote.endpointurl of {name!r}, whose url is not s3://")


def _option(kind: str, said: str) -> tuple[str, str]:
    """Key and value of a line, once they are found harmless."""
    option = _OPTION.fullmatch(said)
    if option is None:
        raise _refused(f"holds {said[:80]!r}, which is not understood")
    if option["key"] not in _ALLOWED.get(kind, "").split() and kind not in _HARMLESS:
        raise _refused(f"sets {kind}.{option['key']}")
    return option["key"], option["value"].strip("'\"")


def _require_no_import(name: str, lines: Iterable[str]) -> None:
    for line in lines:
        said = line.partition("#")[0] if line.lstrip().startswith("#") else line
        if said.strip() and not _OUTPUT.fullmatch(said):
            raise ProjectError(
                f"{name} holds {said.strip()[:80]!r}: it is no file of `dvc add`, and what it imports "
                "could be anything that this service may read",
                tip="set dvc_imports if you trust everybody who may change the repository",
            )


def _lines(file: Path, name: str) -> list[str]:
    if file.is_symlink() or not file.is_file():
        raise ProjectError(f"{name} is not an ordinary file")
    size = file.stat().st_size
    if size > _LARGEST:
        raise ProjectError(f"{name} has {size} bytes, at most {_LARGEST} may be")
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ProjectError(f"{name} is not UTF-8") from None


def _refused(what: str) -> ProjectError:
    return ProjectError(
        f".dvc/config {what}, which a repository may not choose for this service",
        tip="set it in the config of the service's own user: `dvc config --global`",
    )
