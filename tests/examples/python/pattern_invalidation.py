"""Invalidation by pattern: all pages of a feed at once. KEYS walks the whole keyspace, SCAN does so in small steps.

KEYS is fine for thousands of keys and rare events; SCAN where others must not wait.
"""

from connect import connect

cache = connect()


def fill():
    for page in range(250):
        cache.set(f"feed:{page}", "page")
    cache.mset({"feedback": "stays", "article:1": "stays"})


fill()
keys = cache.keys("feed:*")
print("dropped by KEYS:", cache.delete(*keys))
fill()
print("dropped by SCAN:", sum(cache.unlink(key) for key in cache.scan_iter("feed:*", count=100)))
print("left:", " ".join(sorted(cache.keys("*"))))
