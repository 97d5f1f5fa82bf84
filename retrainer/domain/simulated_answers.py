"""Simulated models: how often they are right, and how often two of them differ in it.

An utterance has a difficulty z ~ N(0, 1), and a model of true accuracy a understands it when
q(a) - z + t e > 0, with e ~ N(0, 1) for each model and utterance, q(a) = probit(a) sqrt(1 + t^2),
and t, the models' individuality, such that two of them differ in being right as often as models do
that were trained twice.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NORMAL = NormalDist()
#: Difficulties on which integrals are summed, and how likely each is.
_STEP = 0.01
_DIFFICULTIES = tuple(point * _STEP for point in range(-800, 801))
_WEIGHTS = tuple(_NORMAL.pdf(z) * _STEP for z in _DIFFICULTIES)


@lru_cache
def individuality(accuracy: float, discordance: float) -> float:
    """The t with which two models of this accuracy differ in being right so often.

    Raises:
        ValueError: even independent models do not differ so often, or identical ones more often.
    """
    if not 0 < discordance < 2 * accuracy * (1 - accuracy):
        raise ValueError(
            f"models of accuracy {accuracy} cannot differ on a share of {discordance}: "
            f"above 0 and below {2 * accuracy * (1 - accuracy):.4f} is possible"
        )
    low, high = 1e-3, 1e3
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _differing(accuracy, middle) < discordance else (low, middle)
    return math.sqrt(low * high)


def quality(accuracies: Floats, noise: float) -> Floats:
    """The q of models with these true accuracies, at t = `noise`."""
    scale = math.sqrt(1 + noise**2)
    return np.array([_NORMAL.inv_cdf(accuracy) * scale for accuracy in accuracies.tolist()])


def pattern_shares(accuracies: Floats, noise: float) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which of the models are right together, and on what share of the utterances.

    The patterns have shape (2 ** models, models), the shares (2 ** models,).
    """
    models = len(accuracies)
    patterns = (np.arange(2**models)[:, None] >> np.arange(models)) % 2 == 1
    shares = np.zeros(2**models)
    qualities = quality(accuracies, noise).tolist()
    for difficulty, weight in zip(_DIFFICULTIES, _WEIGHTS, strict=True):
        right = np.array([_NORMAL.cdf((q - difficulty) / noise) for q in qualities])
        shares += weight * np.where(patterns, right, 1 - right).prod(axis=1)
    return patterns, shares / shares.sum()


def _differing(accuracy: float, noise: float) -> float:
    """How often two models of this accuracy differ in being right, at t = `noise`.

    2 E[p (1 - p)] over the difficulty, p being how often a model understands such an utterance.
    """
    middle = _NORMAL.inv_cdf(accuracy) * math.sqrt(1 + noise**2)
    total = 0.0
    for difficulty, weight in zip(_DIFFICULTIES, _WEIGHTS, strict=True):
        p = _NORMAL.cdf((middle - difficulty) / noise)
        total += p * (1 - p) * weight
    return 2 * total
