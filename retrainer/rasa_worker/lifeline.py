"""The worker never outlives the service."""

import os
import select
import signal


def follow(requests, *others):
    """Fork a guard that kills our whole process group once the service is gone.

    `requests` is the read end of a pipe whose write end only the service holds: when the service
    ends, however it ends, the kernel reports a hang-up. A process watches for it, not a thread
    (TensorFlow may hold Python's lock) and not the parent-death signal (it fires when the thread
    that started us ends, and would spare what we started). `others` are not for the guard.
    """
    leader = os.getpid()
    if os.getpgrp() != leader:
        os.setpgid(0, 0)
    if os.fork() != 0:
        return
    for descriptor in others:
        os.close(descriptor)
    hang_up = select.poll()
    hang_up.register(requests, 0)
    while not hang_up.poll():
        pass
    os.killpg(leader, signal.SIGKILL)
