"""A cache with metrics for Prometheus: hits and misses by prefix, and how long a call takes.

A hit ratio that nobody watches falls unnoticed.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from connect import connect

registry = CollectorRegistry()
results = Counter("cache_requests", "Cache reads by result", ["prefix", "result"], registry=registry)
seconds = Histogram("cache_seconds", "Time of a cache read", registry=registry)
cache = connect()


def get(key):
    with seconds.time():
        value = cache.get(key)
    results.labels(key.split(":")[0], "miss" if value is None else "hit").inc()
    return value


cache.mset({"user:1": "ada", "user:2": "bob"})
for key in ("user:1", "user:2", "user:1", "user:3", "page:1"):
    get(key)
for line in generate_latest(registry).decode().splitlines():
    if line.startswith(("cache_requests_total", "cache_seconds_count")):
        print(line)
