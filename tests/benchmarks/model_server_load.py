"""A fleet of servers that polls `retrainer serve-models` each second, and pulls large models."""

import json
import sys
from pathlib import Path

from measurement import FOLDER, REPOSITORY, Comparison, Figure, measure, say

_POLLERS, _SECONDS, _MEGABYTES, _CHAMPIONS = 50, 25, 50, 4
_LIMIT_MEGABYTES = 200.0


def compare() -> Comparison:
    """Measure our side; Rasa has nothing that does this."""
    say(f"model server: {_POLLERS} servers poll for {_SECONDS} s")
    folder: Path = FOLDER / "model_server"
    folder.mkdir(parents=True, exist_ok=True)
    run = measure(
        [
            *(sys.executable, "-m", "support.model_polling"),
            *(f"--pollers={_POLLERS}", f"--seconds={_SECONDS}"),
            *(f"--megabytes={_MEGABYTES}", f"--champions={_CHAMPIONS}"),
        ],
        folder=folder,
        extra={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}"},
    )
    seen = json.loads(run.output.splitlines()[-1])
    for failure in sorted(set(seen["failures"])):
        say(f"failed poll: {failure}")
    return Comparison(
        f"serve-models: {_POLLERS} Rasa servers that poll each second, models of {_MEGABYTES} MB",
        figures=(
            Figure("polls that failed", len(seen["failures"]), "", limit=0, absolute=True),
            Figure("servers left behind", seen["behind"], "", limit=0, absolute=True),
            Figure(
                "peak memory of the server",
                seen["peak_megabytes"],
                "MB",
                limit=_LIMIT_MEGABYTES,
                absolute=True,
            ),
            Figure("its memory before the first poll", seen["idle_megabytes"], "MB"),
            Figure("poll without news, median", seen["p50_ms"], "ms"),
            Figure("poll without news, 99 %", seen["p99_ms"], "ms"),
            Figure("slowest pull", seen["longest_pull_s"], "s"),
        ),
        notes=(
            (
                f"{seen['unchanged']} polls were answered 304, {seen['pulls']} with a model, whose "
                "SHA-256 was compared with its ETag"
            ),
            (
                f"the champion moved {_CHAMPIONS - 1} times in {_SECONDS} s; whenever it does, all "
                "servers pull it within the same second, on this machine and its two sides"
            ),
        ),
    )
