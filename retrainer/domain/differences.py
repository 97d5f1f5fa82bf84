"""The difference of two models in one figure, and what a bootstrap says of it."""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # what only names these types must not wait for numpy
    import numpy as np
    import numpy.typing as npt

#: Bias-corrected and accelerated (Efron 1987), or plain percentiles of the draws.
Method = Literal["bca", "percentile"]
#: What is smaller than the last of these decimals is rounding: equal figures must tie.
DIGITS = 12


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, both differences of shares."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Challenger less champion in one figure; all are shares, so from -1 to 1.

    `draws` are the differences on the resamples that have an utterance to measure on, ascending.
    `acceleration` is how fast the standard error changes with the figure (Efron 1987).
    `support` is the number of utterances that the figure is about.
    """

    champion: float
    challenger: float
    draws: "npt.NDArray[np.float64]"
    acceleration: float
    support: int

    @property
    def observed(self) -> float:
        """The difference on the utterances themselves."""
        return round(self.challenger - self.champion, DIGITS)

    @property
    def standard_error(self) -> float:
        """Standard deviation of the difference over the resamples; 0 of a single one."""
        return float(self.draws.std(ddof=1)) if len(self.draws) > 1 else 0.0

    def interval(self, confidence: float = 0.95, method: Method = "bca") -> Interval:
        """Two-sided interval. Both ends coincide where no utterance tells the models apart."""
        tail = (1 - confidence) / 2
        return Interval(self._quantile(tail, method), self._quantile(1 - tail, method))

    def lower_bound(self, confidence: float = 0.95, method: Method = "bca") -> float:
        """One-sided: the true difference is at least this, with so much confidence."""
        return self._quantile(1 - confidence, method)

    def upper_bound(self, confidence: float = 0.95, method: Method = "bca") -> float:
        """One-sided: the true difference is at most this, with so much confidence."""
        return self._quantile(confidence, method)

    def p_above(self, limit: float = 0.0) -> float:
        """One-sided p-value for a true difference above `limit`, by percentiles.

        The share of resamples at or below it, the observation counted among them, so that it is
        never 0 (Davison and Hinkley 1997, section 4.2).
        """
        return (bisect_right(self.draws, limit) + 1) / (len(self.draws) + 1)

    def p_below(self, limit: float = 0.0) -> float:
        """One-sided p-value for a true difference below `limit`; see `p_above`."""
        above = len(self.draws) - bisect_left(self.draws, limit)
        return (above + 1) / (len(self.draws) + 1)

    def _quantile(self, level: float, method: Method) -> float:
        if not 0 < level < 1:
            raise ValueError(f"confidence must lie between 0 and 1, not at {level} or {1 - level}")
        if method == "bca":
            level = self._corrected(level)
        place = level * (len(self.draws) - 1)
        below, above = float(self.draws[math.floor(place)]), float(self.draws[math.ceil(place)])
        return below + (above - below) * (place - math.floor(place))

    def _corrected(self, level: float) -> float:
        """The percentile that stands for `level`: bias-corrected and accelerated (Efron 1987)."""
        normal = NormalDist()
        # Ties count half, as in scipy.
        less = bisect_left(self.draws, self.observed)
        not_more = bisect_right(self.draws, self.observed)
        below = (less + not_more) / 2 / len(self.draws)
        edge = 0.5 / len(self.draws)
        bias = normal.inv_cdf(min(max(below, edge), 1 - edge))
        shifted = bias + normal.inv_cdf(level)
        stretch = 1 - self.acceleration * shifted
        if stretch <= 0:
            return 0.0 if shifted < 0 else 1.0
        return normal.cdf(bias + shifted / stretch)
