"""`python -m retrainer`."""

from retrainer.cli import main

main()
