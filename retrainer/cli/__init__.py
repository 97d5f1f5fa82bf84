"""The command line: one module a command, and `main`, where every failure becomes an exit code."""

from retrainer.cli.app import main

__all__ = ["main"]
