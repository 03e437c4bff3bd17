"""A rate limiter with a sliding window: a sorted set per client of its requests by time.

Unlike a counter per window it never lets twice the limit pass around the end of a window. What is older than the window goes,
the rest is counted and the new request noted in one transaction.
"""

import itertools
import time

from connect import connect

cache = connect()
unique = itertools.count()


def allow(client, limit, window_ms):
    key, now = f"window:{client}", time.time_ns() // 1_000_000
    request = f"{now}-{next(unique)}"
    with cache.pipeline() as p:
        p.zremrangebyscore(key, "-inf", now - window_ms)
        p.zadd(key, {request: now})
        p.zcard(key)
        p.pexpire(key, window_ms)
        count = p.execute()[2]
    if count > limit:
        cache.zrem(key, request)  # what was refused does not count
    return count <= limit


print("allowed of 60:", sum(allow("10.0.0.1", 50, 60000) for _ in range(60)))
print("noted:", cache.zcard("window:10.0.0.1"))
print("another client:", "allowed" if allow("10.0.0.2", 50, 60000) else "refused")
print("allowed of 3:", [allow("10.0.0.3", 2, 60000) for _ in range(3)].count(True))
while not allow("10.0.0.3", 2, 300):  # a shorter window is soon free again
    pass
print("later: allowed")
while cache.exists("window:10.0.0.3"):
    pass
print("a client that is gone: nothing kept")
