"""What SQLite does when it commits, by what the kernel sees of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMITS = 5
CODE = f"""
import os, sys
from retrainer.store.engine import make_engine, writing
engine = make_engine(f"sqlite:///{{sys.argv[1]}}/a.db")
with writing(engine) as connection:
    connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
for n in range({COMMITS}):
    os.write(1, b"begin")
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    os.write(1, b"committed")
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows what a process syncs")
def test_sqlite_syncs_each_commit(tmp_path: Path):
    """A commit is on the disk before anybody is told of it; without that no journal is worth much."""
    strace = ["strace", "-f", "-y", "-e", "trace=write,fsync,fdatasync", "-o", tmp_path / "calls"]
    subprocess.run(
        [*strace, sys.executable, "-c", CODE, tmp_path],
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    synced = []
    for line in (tmp_path / "calls").read_text().splitlines():
        if '"begin"' in line:
            synced.append(False)
        elif "sync(" in line and "a.db-wal" in line and synced:
            synced[-1] = True
        elif '"committed"' in line:
            assert synced[-1], "told before it was synced"
    assert synced == [True] * COMMITS
