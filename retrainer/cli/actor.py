"""Who gives a command, for what is kept of it."""

import getpass
import os
from collections.abc import Callable


def actor(named: Callable[[], str] = getpass.getuser) -> str:
    """The user's name; his number where the system knows no name, as in many containers."""
    try:
        return named()
    except (KeyError, OSError):  # the latter from Python 3.13 on
        return f"user {os.getuid()}"
