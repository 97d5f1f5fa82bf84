"""Groups with a memory limit, in a folder that looks like the kernel's tree of cgroups."""

import os
from pathlib import Path

import pytest

from retrainer.adapters.memory_groups import MemoryGroup, MemoryGroups
from retrainer.adapters.resource_limits import Allowance, ResourceLimits, size

GB = 1000**3


class Tree:
    """What `/proc/self` and the mounted tree say, for a service that systemd has started."""

    def __init__(self, folder: Path, own: str = "/system.slice/retrainer.service") -> None:
        self.proc, self.mount = folder / "proc", folder / "cgroup"
        self.proc.mkdir()
        (self.proc / "mounts").write_text(f"cgroup2 {self.mount} cgroup2 rw,nosuid 0 0\n")
        (self.proc / "cgroup").write_text(f"0::{own}\n")
        self.service = self.mount / "system.slice" / "retrainer.service"
        self.service.mkdir(parents=True)
        self.write("cgroup.controllers", "cpu memory pids\n")
        self.write("cgroup.subtree_control", "\n")
        self.write("cgroup.procs", f"{os.getpid()}\n")

    def write(self, name: str, content: str) -> None:
        (self.service / name).write_text(content)

    def read(self, name: str) -> str:
        return (self.service / name).read_text()

    def delegate(self) -> None:
        os.setxattr(self.service, "user.delegate", b"1")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A service with `Delegate=memory`."""
    tree = Tree(tmp_path)
    try:
        tree.delegate()
    except OSError:
        pytest.skip("this file system keeps no attributes of users")
    return tree


def test_a_group_with_its_limit(tree: Tree):
    """The service steps aside, lets groups have limits, and makes one that is killed as a whole."""
    groups = MemoryGroups.find(tree.proc)
    group = groups.make(8 * GB)
    assert tree.read("service/cgroup.procs") == str(os.getpid())
    assert tree.read("cgroup.subtree_control") == "+memory"
    assert group.folder.parent == tree.service
    written = {p.name: p.read_text() for p in group.folder.iterdir()}
    assert written == {
        "memory.max": str(8 * GB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
    }


def test_two_groups_are_two(tree: Tree):
    """Two trainings at a time do not share a limit."""
    groups = MemoryGroups.find(tree.proc)
    assert groups.make(GB).folder != groups.make(GB).folder


def test_a_service_that_stands_aside_already(tree: Tree):
    """With systemd's DelegateSubgroup, or after a reload, the groups are made beside it."""
    (tree.service / "service").mkdir()
    (tree.proc / "cgroup").write_text("0::/system.slice/retrainer.service/service\n")
    tree.write("cgroup.procs", "")
    tree.write("cgroup.subtree_control", "memory\n")
    group = MemoryGroups.find(tree.proc).make(GB)
    assert group.folder.parent == tree.service
    assert not (tree.service / "service" / "cgroup.procs").exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("proc/mounts", "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"),
        ("proc/cgroup", "4:memory:/system.slice/retrainer.service\n"),
        ("proc/cgroup", "0::/../../system.slice/other.service\n"),
        ("cgroup/system.slice/retrainer.service/cgroup.controllers", "cpu pids\n"),
    ],
)
def test_no_groups_where_the_kernel_offers_none(
    tree: Tree, tmp_path: Path, file: str, content: str
):
    """Version 1, a container that sees but the root, no memory controller: each process by itself."""
    (tmp_path / file).write_text(content)
    assert MemoryGroups.find(tree.proc) is None


def test_no_groups_in_what_belongs_to_others(tmp_path: Path):
    """Root may write everywhere, but what systemd has not left to us is systemd's."""
    assert MemoryGroups.find(Tree(tmp_path).proc) is None


def test_what_a_killed_service_left_is_swept(tree: Tree):
    """A group of a process that is gone goes; one of a process that lives stays."""
    gone, alive = tree.service / "rasa-999999999-1", tree.service / f"rasa-{os.getppid()}-1"
    for folder in (gone, alive):
        folder.mkdir()
    mine = MemoryGroups.find(tree.proc).make(GB)
    MemoryGroups.find(tree.proc).make(GB)
    assert alive.is_dir()
    assert mine.folder.is_dir()
    assert not gone.exists()


def test_a_group_that_cannot_be_made(tree: Tree):
    """It is told of, and the worker gets its limit in another way."""
    tree.write("service", "a file where the service should go")
    assert MemoryGroups.find(tree.proc).make(GB) is None
    allowance = ResourceLimits(memory=GB, groups=MemoryGroups.find(tree.proc)).allowance()
    assert '"cgroup": null' in allowance.argument


def test_the_kernel_says_whether_the_limit_was_reached(tmp_path: Path):
    """Only a kill for want of memory is put down to it, whatever else killed the worker."""
    limits = ResourceLimits(memory=8 * GB)
    allowance = Allowance(limits, MemoryGroup(tmp_path))
    (tmp_path / "memory.events").write_text("low 0\noom 0\noom_kill 0\noom_group_kill 0\n")
    assert not allowance.ended_it(-9, [])
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 3\noom_group_kill 1\n")
    assert allowance.ended_it(-9, [])
    assert allowance.reached == "Rasa reached its memory limit of 8 GB"
    assert "raise rasa.memory_limit" in allowance.tip


@pytest.mark.parametrize(
    ("code", "log", "expected"),
    [
        (-6, ["terminate called after throwing an instance of 'std::bad_alloc'"], True),
        (127, ["cannot allocate memory for thread-local data: ABORT"], True),
        (1, ["MemoryError"], True),
        (-11, ["nothing of that kind"], False),
        (-9, ["std::bad_alloc"], False),
        (3, ["MemoryError"], False),
    ],
)
def test_an_end_that_looks_like_it(code: int, log: list[str], expected: bool):
    """Without a group, the way that the worker ended and its last words tell."""
    assert ResourceLimits(memory=GB).allowance().ended_it(code, log) is expected
    assert not ResourceLimits().allowance().ended_it(code, log)


def test_sizes_in_words():
    """A limit is said as people write it."""
    assert [size(n) for n in (8 * GB, 500 * 10**6, 1500, 7)] == [
        "8 GB",
        "500 MB",
        "1.5 kB",
        "7 bytes",
    ]
