"""The Python environment that the worker runs in."""

import platform
import sys

from .faults import ENVIRONMENT, Fault

SUPPORTED = ((3, 5), (3, 6))
LIBRARIES = ("rasa-sdk", "tensorflow", "tensorflow-cpu-aws", "numpy", "scikit-learn", "spacy")


def versions():
    """Which Python, Rasa and libraries; a fault where Rasa is missing or unsupported."""
    from importlib import metadata

    supported = " and ".join("{}.{}".format(*release) for release in SUPPORTED)
    tip = "run `retrainer rasa setup`, or name another interpreter in the config as rasa.python"
    try:
        rasa = metadata.version("rasa")
    except metadata.PackageNotFoundError:
        raise Fault(
            "no Rasa in the environment of {}; Rasa {} are supported".format(
                sys.executable, supported
            ),
            ENVIRONMENT,
            tip,
        ) from None
    if tuple(int(part) for part in rasa.split(".")[:2] if part.isdigit()) not in SUPPORTED:
        raise Fault(
            "Rasa {} in the environment of {} is not supported; Rasa {} are".format(
                rasa, sys.executable, supported
            ),
            ENVIRONMENT,
            tip,
        )
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "rasa": rasa, "libraries": libraries}
