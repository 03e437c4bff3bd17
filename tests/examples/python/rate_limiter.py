"""A rate limiter: a counter per client and window that expires with the window.

INCR is atomic, so that many web servers can share the count; EXPIRE cleans up after them.
"""

from connect import connect

cache = connect()


def allow(client, limit, window_ms):
    key = f"rate:{client}"
    count = cache.incr(key)
    if count == 1:
        cache.pexpire(key, window_ms)
    return count <= limit


print("allowed of 60:", sum(allow("10.0.0.1", 50, 60000) for _ in range(60)))
print("another client:", "allowed" if allow("10.0.0.2", 50, 60000) else "refused")
print("allowed of 3:", [allow("10.0.0.3", 2, 60000) for _ in range(3)].count(True))
cache.pexpire("rate:10.0.0.3", 1)  # a minute goes by
while cache.exists("rate:10.0.0.3"):
    pass
print("next window:", "allowed" if allow("10.0.0.3", 2, 60000) else "refused")
