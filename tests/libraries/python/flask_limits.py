"""Flask-Limiter: the three strategies of limits, through Flask's test client, and what limits says of a window."""

import time

import limits
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from server import URL, connect, until

HOUR = 3600


def application(strategy):
    app = Flask(strategy)
    limiter = Limiter(get_remote_address, app=app, storage_uri=URL, strategy=strategy, headers_enabled=True, key_prefix=strategy)

    @app.get("/hourly")
    @limiter.limit("5 per hour")
    def hourly():
        return "in"

    @app.get("/both")
    @limiter.limit("3 per hour; 100 per day")
    def both():
        return "in"

    @app.get("/short")
    @limiter.limit("2 per second")
    def short():
        return "in"

    @app.get("/free")
    def free():
        return "in"

    return app, limiter


for strategy in ("fixed-window", "moving-window", "sliding-window-counter"):
    app, limiter = application(strategy)
    client = app.test_client()

    def codes(path, n, address="10.0.0.1"):
        return [client.get(path, environ_base={"REMOTE_ADDR": address}).status_code for _ in range(n)]

    assert codes("/hourly", 8) == [200] * 5 + [429] * 3, strategy
    assert codes("/hourly", 6, "10.0.0.2") == [200] * 5 + [429]
    assert codes("/both", 4) == [200] * 3 + [429]
    assert codes("/free", 9) == [200] * 9
    answer = client.get("/hourly", environ_base={"REMOTE_ADDR": "10.0.0.1"})
    assert answer.headers["X-RateLimit-Remaining"] == "0" and answer.headers["X-RateLimit-Limit"] == "5"
    assert 0 <= float(answer.headers["Retry-After"]) <= 2 * HOUR
    until(lambda: 429 in codes("/short", 3), "a burst is refused")
    until(lambda: codes("/short", 1) == [200], "the next window begins")
    limiter.reset()
    assert codes("/hourly", 1) == [200]

storage = limits.storage.storage_from_string(URL)
assert storage.check()
item = limits.parse("10/minute")
for make in (limits.strategies.FixedWindowRateLimiter, limits.strategies.MovingWindowRateLimiter,
             limits.strategies.SlidingWindowCounterRateLimiter):
    limiter = make(storage)
    assert limiter.hit(item, make.__name__, cost=7)
    assert limiter.test(item, make.__name__, cost=3) and not limiter.test(item, make.__name__, cost=4)
    stats = limiter.get_window_stats(item, make.__name__)
    assert stats.remaining == 3 and abs(stats.reset_time - time.time()) <= 121, (make, stats)
    assert not limiter.hit(item, make.__name__, cost=4)
    limiter.clear(item, make.__name__)
    assert limiter.hit(item, make.__name__, cost=10)
assert storage.reset() > 0 and connect().keys("LIMITS*") == []
print("ok")
