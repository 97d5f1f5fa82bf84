"""Further PostgreSQL servers of this machine, beside the one of the wheel: other major versions.

Debian's packages are found where they are, and the `pgserver` wheel if it is installed. Each is
started once, when the first test asks for it, and ends with the test process.
"""

import atexit
import os
import re
import shutil
import subprocess
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

#: Data need not survive anything.
_SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "listen_addresses=")


@cache
def found() -> dict[str, Path]:
    """The folder of the programs of each major version, such as "15"; not the wheel's own."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    spec = find_spec("pgserver")
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    servers = {}
    for folder in folders:
        command = [folder / "postgres", "--version"]
        try:
            # As the user that it would run as: not everybody may enter every folder.
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, cwd="/", **_user()
            )
        except (OSError, KeyError):  # no such user, or no right
            continue
        servers[re.findall(r"\d+", done.stdout)[0]] = folder
    return servers


@cache
def start(major: str) -> sa.URL:
    """Start the server of that version; returns the URL of its superuser."""
    programs = found()[major]
    # A short path: the server's socket lies in the folder, and its name may have 100 letters.
    folder = Path(tempfile.mkdtemp(prefix=f"retrainer-pg{major}-", dir="/tmp"))
    user = _user()
    if user:
        shutil.chown(folder, **user)
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    initialise = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"]
    subprocess.run(
        [programs / "initdb", f"--pgdata={data}", *initialise], check=True, **user, **quiet
    )
    options = [part for setting in _SETTINGS for part in ("-c", setting)]
    command = [programs / "postgres", "-D", data, "-k", folder, *options]
    server = subprocess.Popen(command, **user, **quiet)
    atexit.register(_stop, server, folder)
    url = sa.URL.create(
        "postgresql+psycopg", username="postgres", database="postgres", query={"host": str(folder)}
    )
    _wait(url)
    return url


def _user() -> dict[str, str]:
    """Who runs it: the server refuses to run as root."""
    return {"user": "postgres"} if os.geteuid() == 0 else {}


def _wait(url: sa.URL) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    for attempt in range(200):
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            if attempt == 199:
                raise
            time.sleep(0.1)
        else:
            return


def _stop(server: "subprocess.Popen[bytes]", folder: Path) -> None:
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    shutil.rmtree(folder, ignore_errors=True)
