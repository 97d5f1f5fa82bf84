"""How many wrong tokens and signatures an address may send before it has to wait."""

import logging
import math
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from retrainer.errors import RetrainerError
from retrainer.ports import Clock

#: So many failures at once, then one in so many seconds.
MOST, EVERY = 10, 30.0
#: Addresses that are remembered; of more, those whose last failure is longest ago are forgotten.
ADDRESSES = 1024
_NETWORK_BITS = 64

_log = logging.getLogger(__name__)


class TooManyFailures(RetrainerError):
    """This address sent too many wrong tokens."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"too many wrong tokens or signatures came from this address, {MOST} at most",
            tip=f"put the right one in place, and try again in {retry_after} s",
        )
        #: Seconds after which one more is heard.
        self.retry_after = retry_after


class Failures:
    """A leaky bucket for each client address.

    Only failures count, and only failures are refused: a right token is always heard, from an
    address with failures too. Behind a proxy all clients share one address, and one that has a
    wrong token must not lock the others out. Guessing is hopeless in any case, as tokens are long;
    the limit keeps guesses and clients that are set up wrong cheap and quiet.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: Level of each bucket, and when that was; oldest failure first.
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, address: str | None) -> None:
        """Count a failure.

        Raises:
            TooManyFailures: the bucket is full.
        """
        key, now = _network(address), self._clock.monotonic()
        level, since = self._levels.pop(key, (0.0, now))
        level = max(0.0, level - (now - since) / EVERY)
        full = level + 1 > MOST
        self._levels[key] = (level if full else level + 1, now)
        if len(self._levels) > ADDRESSES:
            self._levels.popitem(last=False)
        if full:
            raise TooManyFailures(math.ceil((level + 1 - MOST) * EVERY))
        if level + 2 > MOST:
            _log.warning("%d wrong tokens or signatures came from %s in a row", MOST, key)


def _network(address: str | None) -> str:
    """An IPv6 client has a whole network of addresses."""
    try:
        parsed = ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, IPv6Address):
        bits = 128 - _NETWORK_BITS
        return f"{IPv6Address(int(parsed) >> bits << bits)}/{_NETWORK_BITS}"
    return str(parsed)
