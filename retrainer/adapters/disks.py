"""What kind of file system a path is on, and what is free there."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

#: File systems of other machines, on which locks and memory maps are not to be relied on.
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|glusterfs|lustre|fuse\.(sshfs|s3fs|glusterfs|rclone|.*nfs.*)"
)
#: Those on which a file cannot be replaced in one step, or is not safe after a power cut.
_WEAK = re.compile(r"vfat|msdos|exfat|fuse\.(s3fs|goofys|gcsfuse|blobfuse\d?|rclone)")
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_ESCAPED = re.compile(r"\\(\d{3})")


@dataclass(frozen=True, slots=True)
class Disk:
    """Where a path is: the mounted folder, its `kind` such as `ext4`, and the bytes free there."""

    mount: Path
    kind: str
    free: int

    @property
    def is_remote(self) -> bool:
        """Whether other machines may use it at the same time."""
        return bool(_NETWORK.fullmatch(self.kind))

    @property
    def is_weak(self) -> bool:
        """Whether files cannot be replaced there in one step."""
        return bool(_WEAK.fullmatch(self.kind))

    @property
    def is_in_memory(self) -> bool:
        """Whether it is empty after a restart of the machine."""
        return self.kind in _IN_MEMORY


def disk_of(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> Disk:
    """The disk that a path is on, or will be on once it is made; the kind is "" if not known.

    Raises:
        OSError: it cannot be looked at.
    """
    there = existing(path).resolve()
    found = os.statvfs(there)
    mount, kind = Path("/"), ""
    for line in _lines(mounts):
        fields, _, rest = line.partition(" - ")
        folder = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields.split()[4]))
        # Of two on the same folder the later one hides the earlier.
        if there.is_relative_to(folder) and len(folder.parts) >= len(mount.parts):
            mount, kind = folder, rest.split()[0]
    return Disk(mount, kind, found.f_bavail * found.f_frsize)


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(each for each in (path, *path.parents) if os.path.lexists(each))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # another system than Linux
        return []
