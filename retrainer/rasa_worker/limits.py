"""What the worker takes of the machine: set before anything else, and so for all that it starts.

The worker does it to itself: between fork and exec of a process with threads nothing is safe to do.
"""

import ctypes
import os
import platform
import resource
import sys

#: Number of the system call `ioprio_set`, which the C library has no function for.
_IOPRIO_SET = {
    "x86_64": 251,
    "aarch64": 30,
    "riscv64": 30,
    "loongarch64": 30,
    "ppc64le": 273,
    "s390x": 282,
}
#: What `ioprio_set` takes: the class in the upper bits, below it the lowest priority of the class.
_IO_CLASSES = {"best-effort": 2 << 13 | 7, "idle": 3 << 13}


def apply(nice, io_class, memory, cgroup):
    """Set the limits; one that cannot be set is told of in the log, and the work goes on.

    `nice` is 0 to 19; a worker that is nicer already stays so. `io_class` is a key of the table, or
    "none". `memory` is in bytes, or None; it is the limit of the group whose `cgroup.procs` is
    `cgroup`, or, where that is None or cannot be joined, of each process.
    """
    with _told("nice"):
        os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
    if io_class != "none":
        with _told("io_class"):
            _set_io_priority(_IO_CLASSES[io_class])
    if memory is not None and not (cgroup and _joined(cgroup)):
        with _told("memory_limit"):
            # Not the address space: TensorFlow reserves four times as much as it uses.
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


class _told:  # noqa: N801 - used as a function
    def __init__(self, what):
        self._what = what

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None or not issubclass(kind, (OSError, ValueError)):
            return False
        sys.stderr.write("{} could not be set: {}\n".format(self._what, error))
        return True


def _joined(cgroup):
    with _told("the cgroup"):
        with open(cgroup, "w", encoding="ascii") as members:  # noqa: PTH123 - quick to import
            members.write("0")  # stands for the process that writes it
        return True
    return False


def _set_io_priority(priority):
    number = _IOPRIO_SET.get(platform.machine())
    if number is None:
        raise OSError("not known for {}".format(platform.machine()))
    library = ctypes.CDLL(None, use_errno=True)
    if library.syscall(number, 1, 0, priority) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
