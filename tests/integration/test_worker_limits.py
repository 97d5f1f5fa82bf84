"""What a real Rasa worker takes of the machine, and how a cycle fails that needs more memory."""

import ctypes
import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import rasa_projects
from support.waiting import assert_gone

from retrainer.adapters import processes
from retrainer.adapters.memory_groups import MemoryGroup
from retrainer.adapters.rasa_client import RasaClient
from retrainer.adapters.resource_limits import IoClass, ResourceLimits
from retrainer.errors import RasaOutOfMemory

WORKER = Path(processes.__file__).parents[1] / "rasa_worker" / "__main__.py"
MB = 1000**2
#: Number of the system call `ioprio_get`.
IOPRIO_GET = {"x86_64": 252, "aarch64": 31}
#: A worker without Rasa: the limits alone, then it waits.
STAND_IN = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
importlib.import_module("limits").apply(**json.loads(sys.argv[2]))
print("ready", flush=True)
exec(sys.argv[3])
"""


def io_priority(process: int) -> tuple[int, int]:
    """I/O class (2: best effort, 3: idle) and priority in the class, as the kernel has them."""
    number = IOPRIO_GET.get(platform.machine())
    if number is None:
        pytest.skip(f"the number of ioprio_get is not known for {platform.machine()}")
    return divmod(ctypes.CDLL(None).syscall(number, 1, process), 1 << 13)


def data_limit(process: int) -> str:
    """Bytes of private writable memory that the process may have."""
    limits = Path(f"/proc/{process}/limits").read_text()
    return re.search(r"Max data size +(\S+)", limits)[1]


@contextmanager
def limited(limits: ResourceLimits, code: str = "sys.stdin.read()") -> Iterator[int]:
    """A process that has set these limits on itself and then runs the code."""
    allowance = limits.allowance()
    words = [sys.executable, "-c", STAND_IN, str(WORKER.parent), allowance.argument, code]
    process = processes.start(words, input=-1, out=-1, errors=None)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        processes.kill_group(process)
        allowance.release()


@pytest.mark.parametrize(
    ("io_class", "expected"), [("idle", (3, 0)), ("best-effort", (2, 7)), ("none", None)]
)
def test_niceness_and_io_class(io_class: IoClass, expected: tuple[int, int] | None):
    """The kernel has what the config says; "none" leaves the I/O priority as it was."""
    with limited(ResourceLimits(nice=7, io_class=io_class)) as process:
        assert os.getpriority(os.PRIO_PROCESS, process) == 7
        assert io_priority(process) == (expected or io_priority(os.getpid()))
        assert data_limit(process) == "unlimited"


def test_a_worker_is_never_less_nice_than_its_service():
    """Where the whole service is nice already, its worker stays so, and needs no right to it."""
    code = f"os.setpriority(os.PRIO_PROCESS, 0, 15); {STAND_IN}".replace(
        "import ", "import os, ", 1
    )
    argument = ResourceLimits(nice=3).allowance().argument
    words = [sys.executable, "-c", "import os\n" + code, str(WORKER.parent), argument]
    said = processes.run([*words, "import os; print(os.nice(0))"], timeout=20)
    assert said == "ready\n15\n"


def test_a_limit_that_cannot_be_set_is_told_of_and_no_obstacle(tmp_path: Path):
    """A cgroup that is gone is replaced by the limit of each process, and the log says so."""
    gone = MemoryGroup(tmp_path / "gone")
    argument = json.dumps(
        {"nice": 0, "io_class": "none", "memory": 512 * MB, "cgroup": str(gone.members)}
    )
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA))"
    words = [sys.executable, "-c", STAND_IN, str(WORKER.parent), argument, code]
    assert processes.run(words, timeout=20) == f"ready\n({512 * MB}, {512 * MB})\n"


@pytest.fixture
def kernel_group() -> Iterator[MemoryGroup]:
    """A real cgroup of version 2, whatever controllers it has."""
    mounts = Path("/proc/self/mounts").read_text()
    mount = re.search(r"^\S+ (\S+) cgroup2 rw", mounts, re.MULTILINE)
    if mount is None or not os.access(mount[1], os.W_OK):
        pytest.skip("needs a writable tree of cgroups, version 2")
    group = MemoryGroup(Path(mount[1], f"retrainer-test-{os.getpid()}"))
    group.folder.mkdir()
    yield group
    group.remove()


def test_a_worker_joins_its_group_and_goes_with_it(kernel_group: MemoryGroup):
    """All that the worker starts is in the group and ends with it, even what left its session."""
    limits = ResourceLimits(memory=700 * MB)
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n"
        "print(os.getpid(), flush=True)\nsys.stdin.read()"
    )
    argument = json.loads(limits.allowance().argument) | {"cgroup": str(kernel_group.members)}
    words = [sys.executable, "-c", STAND_IN, str(WORKER.parent), json.dumps(argument), code]
    process = processes.start(words, input=-1, out=-1, errors=None)
    try:
        assert process.stdout.readline() == b"ready\n"
        process.stdout.readline()
        members = [int(line) for line in kernel_group.members.read_text().split()]
        assert process.pid in members
        assert len(members) == 2
        assert data_limit(process.pid) == "unlimited"
    finally:
        processes.kill_group(process)
    kernel_group.remove()
    assert not kernel_group.folder.exists()
    assert_gone(members)


@pytest.mark.rasa
def test_a_real_worker_and_all_that_it_starts(rasa_python: Path, tmp_path: Path):
    """The limits are those of the worker and of its guard; nothing of them is the service's."""
    limits = ResourceLimits(nice=12, io_class="idle", memory=3000 * MB)
    before = os.getpriority(os.PRIO_PROCESS, 0), io_priority(os.getpid()), data_limit(os.getpid())
    with RasaClient(
        python=rasa_python, cache=tmp_path / "cache", log=tmp_path / "log", resources=limits
    ) as rasa:
        assert rasa.versions().rasa
        leader = rasa._process._process.pid
        running = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal()]
        group = [process for process in running if in_group(process, leader)]
        assert len(group) >= 2
        for process in group:
            assert os.getpriority(os.PRIO_PROCESS, process) == 12
            assert io_priority(process) == (3, 0)
            assert data_limit(process) == str(3000 * MB)
    after = os.getpriority(os.PRIO_PROCESS, 0), io_priority(os.getpid()), data_limit(os.getpid())
    assert before == after


def in_group(process: int, leader: int) -> bool:
    try:
        return os.getpgid(process) == leader
    except ProcessLookupError:
        return False


@pytest.mark.rasa
def test_a_training_that_needs_more_memory_fails_with_the_key_to_raise(
    rasa_python: Path, tmp_path: Path
):
    """Whether Rasa sees it coming or dies of it, people read of the limit, and the service lives."""
    project = rasa_projects.write_project(
        tmp_path / "project", pipeline=rasa_projects.COMPILED_PIPELINE
    )
    limits = ResourceLimits(memory=600 * MB)
    with RasaClient(
        python=rasa_python, cache=tmp_path / "cache", log=tmp_path / "log", resources=limits
    ) as rasa:
        with pytest.raises(RasaOutOfMemory) as failed:
            rasa.train(project, "m", tmp_path / "models", lambda _: None)
        assert failed.value.message.startswith(
            "Rasa reached its memory limit of 600 MB for each process when it was asked to train"
        )
        assert "raise rasa.memory_limit" in failed.value.tip
        assert list((tmp_path / "models").iterdir()) == []
        assert rasa.versions().rasa
