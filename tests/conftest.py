"""Settings of all rings."""

import os

from hypothesis import settings

# No deadline: machines are shared. CI plays the same examples each time, developers new ones.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")
