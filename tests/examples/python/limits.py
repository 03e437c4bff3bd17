"""Rate limits by larder's own commands, one round trip each. The functions above the example are there to be copied."""

import time
from typing import NamedTuple

from connect import connect


class Verdict(NamedTuple):
    """The answer of a limiter. Times are in seconds."""

    allowed: bool
    limit: int  # that can pass at once if nothing has before
    remaining: int  # that can pass now
    retry_after: float  # when to ask again; negative if it has passed, or never can
    reset_after: float  # when all that has passed is forgotten


def throttle(client, key, burst, count, period, quantity=1):
    """Asks for quantity of a limit that lets burst + 1 pass at once, and on and on count per period of seconds."""
    limited, *rest = client.execute_command("CL.THROTTLE", key, burst, count, period, quantity)
    return Verdict(limited == 0, *rest)


def sliding_window(client, key, limit, window_ms, quantity=1):
    """Asks for quantity of a limit within any stretch of time as long as the window."""
    limited, most, remaining, retry, reset = client.execute_command("CL.WINDOW", key, limit, window_ms, quantity)
    return Verdict(limited == 0, most, remaining, retry / 1000, reset / 1000)


def incr_within(client, key, by, bound, ttl):
    """Adds to a counter up to a bound: the counter, and what was added.

    The first to add something starts the time, in seconds, that the counter lives.
    """
    return tuple(client.execute_command("INCREX", key, "BYINT", by, "UBOUND", bound, "SATURATE", "EX", ttl, "ENX"))


cache = connect()

print("throttled, allowed of 60:", sum(throttle(cache, "throttle:10.0.0.1", 49, 1, 3600).allowed for _ in range(60)))
left = throttle(cache, "throttle:10.0.0.1", 49, 1, 3600, 0)
print(f"left: {left.remaining} of {left.limit}")

print("in a window, allowed of 60:", sum(sliding_window(cache, "hits:10.0.0.1", 50, 3600000).allowed for _ in range(60)))
print(f"another client: {sliding_window(cache, 'hits:10.0.0.2', 50, 3600000, 40).remaining} left")
print("a short window:", sum(sliding_window(cache, "hits:10.0.0.3", 2, 3000).allowed for _ in range(3)))
while not (verdict := sliding_window(cache, "hits:10.0.0.3", 2, 3000)).allowed:
    time.sleep(verdict.retry_after)
print("later: allowed")

for _ in range(2):
    count, added = incr_within(cache, "quota:10.0.0.1", 700, 1000, 3600)
    print(f"of the quota: {count}, {added} more")
