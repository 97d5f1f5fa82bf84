"""Several commands of retrainer, one after the other, in one process; an argument is a command."""

import sys
from contextlib import suppress

from retrainer.cli import main

if __name__ == "__main__":
    for command in sys.argv[1:]:
        sys.argv = ["retrainer", *command.split()]
        with suppress(SystemExit):
            main()
