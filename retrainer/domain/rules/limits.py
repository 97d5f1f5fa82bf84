"""What the rules share: known metrics, limits within their range, numbers as people read them."""

from collections.abc import Sequence

from retrainer.domain.metrics import LOWER_IS_BETTER, METRICS

#: Differences below this are rounding, not evidence: sums of shares are exact to about 1e-15.
ROUNDING = 1e-9


def require_metric(name: str) -> None:
    """Raises ValueError for a metric that no report holds."""
    if name not in METRICS:
        raise ValueError(f"unknown metric {name!r}; known are {', '.join(METRICS)}")


def require_higher_is_better(name: str) -> None:
    """Raises ValueError for a metric of which less is better."""
    if name in LOWER_IS_BETTER:
        raise ValueError(f"{name} is better when it is lower, this rule asks for more of it")


def require_share(name: str, value: float) -> None:
    """Raises ValueError unless 0 <= value <= 1 (also for NaN)."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, not {value}")


def require_alpha(name: str, value: float) -> None:
    """Raises ValueError unless 0 < value <= 0.5: beyond a coin toss it is no test."""
    if not 0 < value <= 0.5:  # noqa: PLR2004 - a coin toss
        raise ValueError(f"{name} must lie above 0 and not above 0.5, not {value}")


def require_known(name: str, value: str, known: Sequence[str]) -> None:
    """Raises ValueError for a word that is none of those known."""
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}; known are {', '.join(known)}")


def require_count(name: str, value: int) -> None:
    """Raises ValueError for a negative number."""
    if value < 0:
        raise ValueError(f"{name} must not be negative, it is {value}")


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{share * 100:+.2f} points"
