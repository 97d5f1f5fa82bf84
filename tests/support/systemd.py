"""A real systemd of the test's own, as process 1 of namespaces that it has for itself.

It sees this machine's files, but what it writes goes into memory and is gone with it. Network,
processes, mounts, host name and control groups are its own; this machine's systemd, if it has one,
is not asked for anything. Needs root.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.waiting import wait_until

_BINARY = Path("/lib/systemd/systemd")
_UNITS = Path("/lib/systemd/system")
#: Folder of the units that there are: those that are listed here, and those of the test.
UNITS = Path("/etc/test-units")
_OF_SYSTEMD = (
    "basic.target",
    "network-online.target",
    "shutdown.target",
    "sockets.target",
    "sysinit.target",
    "systemd-journald-dev-log.socket",
    "systemd-journald.service",
    "systemd-journald.socket",
    "timers.target",
)
_DEFAULT = "[Unit]\nRequires=sysinit.target basic.target systemd-journald.service\n"

_UNSHARE = [
    "unshare",
    *("--mount", "--pid", "--cgroup", "--ipc", "--uts", "--net"),
    *("--fork", "--kill-child"),
]
# The control group that this process is in becomes the root of the new namespace.
_ENTER = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"'
# Runs in the new namespaces: puts a root together, and becomes systemd in it.
_BOOT = """
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/root" "$1/work"
cp -a "$2" "$1/upper"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs dev
for device in null zero full random urandom tty; do
  : > "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
mkdir run/machine
pivot_root . run/machine
umount --lazy run/machine
mount --make-rshared /
exec /usr/bin/env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  SYSTEMD_UNIT_PATH="$3" "$4" --system
"""


@dataclass(frozen=True)
class Systemd:
    """A running one; `process` is its process 1 as this machine counts."""

    process: int

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> str:
        """What a command prints that is run beside it, as root."""
        enter = ["nsenter", f"--target={self.process}", "--all", "--root", "--wd"]
        done = subprocess.run(
            [*enter, *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={"PATH": os.defpath, "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def property(self, unit: str, name: str) -> str:
        """One property of a unit, such as ActiveState."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit)

    def journal(self, unit: str) -> str:
        """What the unit printed, and what systemd says of it."""
        return self.run("journalctl", "--quiet", "--output=cat", f"--unit={unit}")


def missing() -> str | None:
    """Why there can be no systemd of the test's own here; None if there can."""
    if os.geteuid() != 0:
        return "only root can start a systemd of its own"
    tools = [tool for tool in ("unshare", "nsenter", "systemctl") if not shutil.which(tool)]
    if not _BINARY.exists() or tools:
        return f"systemd is not installed here ({', '.join(tools) or _BINARY} is missing)"
    if _control_groups() is None:
        return "no control groups of version 2 are mounted here"
    return None


@contextmanager
def systemd(folder: Path, files: Mapping[str, str]) -> Iterator[Systemd]:
    """Start one, with these files (path: content) laid over those of this machine.

    Those below `UNITS` are its units. All belong to root, and only those below a `bin` can be run.
    """
    ground, laid = folder / "ground", folder / "laid"
    ground.mkdir(parents=True)
    for path, content in {f"{UNITS}/default.target": _DEFAULT, **files}.items():
        file = laid / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o755 if file.parent.name == "bin" else 0o644)
    for unit in _OF_SYSTEMD:
        (laid / str(UNITS).lstrip("/") / unit).symlink_to(_UNITS / unit)
    groups = _control_groups()
    assert groups is not None, missing()
    group = groups / f"retrainer-test-{os.getpid()}"
    group.mkdir()
    try:
        with _process(ground, laid, group, folder / "boot.log") as process:
            yield Systemd(process)
    finally:
        _remove(group)


@contextmanager
def _process(ground: Path, laid: Path, group: Path, log: Path) -> Iterator[int]:
    boot = ["sh", "-ec", _BOOT, "boot", str(ground), str(laid), str(UNITS), str(_BINARY)]
    with log.open("wb") as sink:
        unshare = subprocess.Popen(
            ["sh", "-ec", _ENTER, "enter", str(group), *_UNSHARE, *boot],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")

        def runs() -> bool:
            assert unshare.poll() is None, f"systemd did not start: {log.read_text()}"
            return any(
                Path(f"/proc/{child}/root/run/systemd/private").exists()
                for child in children.read_text().split()
            )

        wait_until(runs, seconds=30)
        yield int(children.read_text())
    finally:
        unshare.kill()  # and with it all that is in its namespaces
        unshare.wait()


def _control_groups() -> Path | None:
    """The folder of our own control group of version 2."""
    own = [
        line.removeprefix("0::") for line in _lines("/proc/self/cgroup") if line.startswith("0::")
    ]
    mounted = [line.split()[4] for line in _lines("/proc/self/mountinfo") if " - cgroup2 " in line]
    return Path(mounted[0]) / own[0].lstrip("/") if own and mounted else None


def _lines(file: str) -> list[str]:
    return Path(file).read_text(encoding="utf-8").splitlines()


def _remove(group: Path) -> None:
    """Remove the control group with those below it, once its last process is gone."""

    def removed() -> bool:
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        return not group.exists()

    wait_until(removed, seconds=10)
