"""The pinned requirements of both environments, and the command that makes them."""

from pathlib import Path

from retrainer.adapters.processes import run

ROOT = Path(__file__).parents[2]


def test_one_command_renews_every_lock():
    """`make lock` makes all pinned requirements anew: none is forgotten and grows old."""
    plan = run(["make", "--dry-run", "--always-make", "lock"], timeout=30, folder=ROOT)
    locks = [path.relative_to(ROOT) for path in sorted(ROOT.glob("deploy/requirements*.txt"))]
    assert len(locks) == 2
    for lock in (*locks, "retrainer/rasa_worker/requirements.txt"):
        (line,) = [line for line in plan.splitlines() if f"--output-file {lock}" in line]
        assert "--upgrade" in line
        assert "--generate-hashes" in line
        assert "--no-emit-index-url" in line
