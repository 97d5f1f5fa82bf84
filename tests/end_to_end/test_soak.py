"""A daemon that works for long does not grow: a short soak. `make soak` runs the long one."""

from pathlib import Path

import pytest
from endurance.soak import soak

pytestmark = pytest.mark.end_to_end

CYCLES = 300
#: In so few cycles memory still settles and the data's sizes differ; what is lost by one in twenty
#: cycles (a descriptor, a thread, a process), or 50 kB by each, shows all the same.
BOUNDS = {
    "RSS, kB": 50_000.0,
    "PSS, kB": 50_000.0,
    "file descriptors": 50.0,
    "threads": 50.0,
    "child processes": 50.0,
    "snapshots, kB": 2_000.0,
    "models, kB": 2_000.0,
    "records, kB": 2_000.0,
    "logs, kB": 500.0,
    "sources, kB": 3_000.0,
    "database, kB": 20_000.0,
    "temporary files, kB": 100.0,
    "all else, kB": 1_000.0,
}


def test_hundreds_of_cycles_leave_no_trace(tmp_path: Path):
    """Memory, descriptors, threads, processes and each kind of file stay as after 100 cycles."""
    found = soak(tmp_path, cycles=CYCLES, assistants=20, every=2.0, seconds=240, bounds=BOUNDS)
    assert found.is_flat, str(found)
    assert {"promoted", "reject", "failed", "skipped"} <= set(found.outcomes), str(found)
    assert set(found.answers) == {200}, str(found)
    assert found.told >= CYCLES, str(found)
    assert found.trouble == (), str(found)
