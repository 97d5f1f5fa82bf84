"""Components of the user's own: those of one project at a time can be imported.

Two models of one cycle may come from two states of the same project, so what was imported from
the one must not answer for the other.
"""

import importlib
import os
import sys
from pathlib import Path

_folder = None


def use(folder):
    """Make the modules of this folder importable, and those of an earlier one no more.

    None stands for a model that needs none. What is loaded already keeps its own modules. To be
    called once Rasa is imported, since from then on no module is compiled to disk: the folder is
    for reading only.
    """
    global _folder  # noqa: PLW0603 - as process-wide as the module search path
    sys.dont_write_bytecode = True
    if folder is not None:
        os.chdir(str(folder))  # where `rasa` would stand
    if folder == _folder:
        return
    if _folder is not None:
        sys.path[:] = [entry for entry in sys.path if entry != str(_folder)]
        for name, module in list(sys.modules.items()):
            if _is_below(module, _folder):
                del sys.modules[name]
    _folder = folder
    if folder is not None:
        # Where `rasa` puts it: the components of the user come before those installed.
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()


def _is_below(module, folder):
    """Whether the module, or the package without an `__init__.py`, was imported from the folder."""
    known = getattr(module, "__dict__", {})  # asking the module itself may load what is lazy
    places = [known.get("__file__"), *(known.get("__path__") or ())]
    return any(folder in Path(str(place)).parents for place in places if place)
