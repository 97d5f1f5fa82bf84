"""Start the worker: `PYTHON -X utf8 .../rasa_worker/__main__.py LIMITS REQUESTS_FD EVENTS_FD`.

LIMITS are the arguments of `limits.apply`, as JSON.
"""

import importlib
import importlib.util
import json
import sys
from pathlib import Path

#: Private, so that neither Rasa nor a user's component can meet our modules by accident.
PACKAGE = "retrainer_rasa_worker"


def load_package(folder: Path) -> None:
    """Register the folder as a package under its private name."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, str(folder / "__init__.py"), submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    # Python puts a script's folder first; there our modules would shadow others' names.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    load_package(here)
    importlib.import_module(PACKAGE + ".limits").apply(**json.loads(sys.argv[1]))
    service = importlib.import_module(PACKAGE + ".service")
    service.main(requests=int(sys.argv[2]), events=int(sys.argv[3]))
