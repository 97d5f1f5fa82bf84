"""The short fault matrix: each fault strikes a daemon process that is in the middle of a cycle.

The daemons of the groups run side by side, so that what is mostly waiting takes little time; each
suffers its faults one after the other. `make chaos` has them last longer, and prints figures.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from support.fault_suffering import Suffered
from support.faults import GROUPS, Group

pytestmark = [pytest.mark.end_to_end, pytest.mark.postgres]

#: Seconds that a fault lasts at least, beyond what it takes until the daemon says that it is there.
SECONDS = {
    "SQLite locked by another program": 40.0,
    "Postgres unreachable": 10.0,
    "daemon stopped for longer than its lease": 6.0,
}
OTHERS = 3.0
AT_ONCE = len(GROUPS)
FAULTS = [fault for group in GROUPS for fault in group.faults]

Outcomes = dict[str, Future[Suffered]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    """What became of each fault, as soon as it is known."""
    found: Outcomes = {fault: Future() for fault in FAULTS}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for group in GROUPS:
            threads.submit(_suffer, group, tmp_path_factory.mktemp("home") / "it", found)
        yield found


def _suffer(group: Group, folder: Path, found: Outcomes) -> None:
    """All faults of the group; those after one that went wrong have gone wrong too."""
    waiting = list(group.faults)
    try:
        for suffered in group.suffer(folder, lambda fault: SECONDS.get(fault, OTHERS)):
            found[waiting.pop(0)].set_result(suffered)
    except BaseException as error:  # noqa: BLE001 - it is raised again in the fault's test
        for fault in waiting:
            found[fault].set_exception(error)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_daemon_outlives(fault: str, outcomes: Outcomes):
    """It reports, gives way, goes on by itself; no cycle is lost, nothing doubled, people know."""
    suffered = outcomes[fault].result(timeout=300)
    assert (suffered.lost, suffered.doubled) == (0, 0)
