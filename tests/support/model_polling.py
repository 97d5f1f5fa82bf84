"""A fleet that polls a model server as Rasa does, and pulls each new champion.

As a command it measures a server of its own: `python -m support.model_polling --help`.
"""

import argparse
import hashlib
import http.client
import json
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.model_server import LIMIT, Premises, RunningServer

PATH = "/models/shop/champion"


@dataclass
class Load:
    """What a fleet saw: seconds that each 304 and each pull took, and every failure in words."""

    unchanged: list[float] = field(default_factory=list)
    pulls: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    #: Servers that never got the last champion.
    behind: int = 0
    peak_megabytes: float = 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds that this share of the polls without news took at most."""
        ordered = sorted(self.unchanged)
        return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def poll(
    premises: Premises,
    server: RunningServer,
    *,
    pollers: int,
    seconds: float,
    champions: Sequence[bytes],
) -> Load:
    """So many servers each poll once a second; the champions follow one another meanwhile.

    The first is promoted before, the others at equal distances. At the end every poller goes on
    until it has the last one, `LIMIT` seconds at most.
    """
    load, lock = Load(), threading.Lock()
    digests = [hashlib.sha256(content).hexdigest() for content in champions]
    server.wait_for(premises.promote("champion-0", champions[0]))
    began = time.monotonic()
    end = began + seconds

    def follow(number: int) -> None:
        etag, due = uuid.uuid4().hex, time.monotonic() + number / pollers
        while time.monotonic() < end or (
            etag.strip('"') != digests[-1] and time.monotonic() < end + LIMIT
        ):
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due + 1, time.monotonic())
            etag = _pull(server.port, etag, load, lock)
        with lock:
            load.behind += etag.strip('"') != digests[-1]

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(pollers)]
    for thread in threads:
        thread.start()
    for number, content in enumerate(champions[1:], 1):
        time.sleep(max(0.0, began + seconds * number / len(champions) - time.monotonic()))
        premises.promote(f"champion-{number}", content)
        premises.registry().remove(f"champion-{number - 1}")
    for thread in threads:
        thread.join()
    load.peak_megabytes = server.peak_megabytes()
    return load


def _pull(port: int, etag: str, load: Load, lock: threading.Lock) -> str:
    """One poll on a connection of its own; returns the name of what the client has then."""
    began, failure, status, got = time.monotonic(), None, 0, etag
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET", PATH, headers={"If-None-Match": etag, "Connection": "close"})
        with connection.getresponse() as response:
            status = response.status
            digest = hashlib.sha256()
            while piece := response.read(1 << 20):
                digest.update(piece)
            if status == 200:
                got = response.headers["ETag"]
                if got != f'"{digest.hexdigest()}"':
                    failure = f"{got} came with other bytes: {digest.hexdigest()}"
            elif status != 304:
                failure = f"status {status}"
    except (OSError, http.client.HTTPException) as error:
        failure = f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    with lock:
        if failure:
            load.failures.append(failure)
        else:
            (load.unchanged if status == 304 else load.pulls).append(time.monotonic() - began)
    return etag if failure else got


def main() -> None:
    """Measure a server of our own and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pollers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--megabytes", type=float, default=50)
    parser.add_argument("--champions", type=int, default=3)
    wanted = parser.parse_args()
    contents = [os.urandom(int(wanted.megabytes * 1e6)) for _ in range(wanted.champions)]
    with tempfile.TemporaryDirectory() as folder:
        premises = Premises(Path(folder), "shop")
        with premises.server() as server:
            idle = server.peak_megabytes()
            load = poll(
                premises,
                server,
                pollers=wanted.pollers,
                seconds=wanted.seconds,
                champions=contents,
            )
    document = {
        "unchanged": len(load.unchanged),
        "pulls": len(load.pulls),
        "failures": load.failures,
        "behind": load.behind,
        "p50_ms": load.percentile(0.5),
        "p99_ms": load.percentile(0.99),
        "longest_pull_s": max(load.pulls),
        "idle_megabytes": idle,
        "peak_megabytes": load.peak_megabytes,
    }
    sys.stdout.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
