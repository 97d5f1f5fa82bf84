"""What kind of disk a path is on."""

from pathlib import Path

import pytest

from retrainer.adapters.disks import Disk, disk_of

MOUNTS = """\
1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
2 1 0:5 / {folder} rw - nfs4 server:/export rw,vers=4.2
3 2 0:6 / {folder}/with\\040space rw shared:7 master:1 - tmpfs tmpfs rw
4 1 0:7 / {folder}/hidden rw - tmpfs tmpfs rw
5 1 0:8 / {folder}/hidden rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "nfs4"),
        ("a/b/that/is/not/there", "nfs4"),
        ("with space", "tmpfs"),
        ("with space too", "nfs4"),
        ("hidden/x", "xfs"),
        ("../elsewhere", "ext4"),
    ],
)
def test_the_nearest_mount_counts(tmp_path: Path, path: str, kind: str):
    """The longest mounted folder above a path is its disk, of two on it the later one."""
    folder = tmp_path / "here"
    for name in ("with space", "with space too", "hidden"):
        (folder / name).mkdir(parents=True)
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(folder=folder))
    found = disk_of(folder / path, mounts)
    assert found.kind == kind
    assert found.free > 0


def test_a_system_that_does_not_say(tmp_path: Path):
    """Without Linux's list the kind is not known, and nothing is said against it."""
    found = disk_of(tmp_path, tmp_path / "none")
    assert (found.kind, found.is_remote, found.is_weak, found.is_in_memory) == ("", *[False] * 3)


def test_what_a_kind_is_worth():
    """Which disks are other machines', lose what is in the making, or all after a restart."""

    def are(trait: str, *kinds: str) -> list[bool]:
        return [getattr(Disk(Path("/"), kind, 0), trait) for kind in kinds]

    assert all(are("is_remote", "nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph"))
    assert all(are("is_weak", "vfat", "exfat", "fuse.s3fs"))
    assert all(are("is_in_memory", "tmpfs", "ramfs"))
    for trait in ("is_remote", "is_weak", "is_in_memory"):
        assert not any(are(trait, "ext4", "xfs", "btrfs", "zfs", "overlay", "fuseblk"))
