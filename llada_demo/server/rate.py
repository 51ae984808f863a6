"""How often one visitor may ask: a token bucket per client address."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable


class Buckets:
    """A bucket of `burst` tokens per client, refilled with `per_second` tokens a second.

    At most `capacity` buckets are kept; the one that was used longest ago goes first. It had the most time to
    fill up again, so forgetting it forgives the least.
    """

    def __init__(
        self,
        per_second: float,
        burst: int,
        capacity: int = 4096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second = per_second
        self.burst = burst
        self.capacity = capacity
        self.clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> (tokens, when)

    def __len__(self) -> int:
        return len(self._levels)

    def wait(self, client: str) -> float:
        """Takes a token of `client`: 0.0 when there was one, else the seconds until there is one."""
        now = self.clock()
        tokens, then = self._levels.pop(client, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - then) * self.per_second)
        allowed = tokens >= 1
        self._levels[client] = (tokens - 1 if allowed else tokens, now)
        if len(self._levels) > self.capacity:
            self._levels.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self.per_second


def visitor(host: str) -> str:
    """The part of an address that stands for one visitor: all of an IPv4 one, the network of an IPv6 one.

    An IPv6 customer owns 2**64 addresses; a bucket for each would be no limit at all.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
