"""dramatiq: its broker is one script, which builds the names of its keys; results, rate limiters, delays and retries."""

import threading

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter, WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as Limits
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as Store

from server import HOST, PORT, connect

broker = RedisBroker(host=HOST, port=PORT, maintenance_chance=1_000_000)  # every call looks for workers that have died
broker.add_middleware(Results(backend=Store(host=HOST, port=PORT)))
dramatiq.set_broker(broker)
done, tried, lock = [], [], threading.Lock()


@dramatiq.actor(store_results=True)
def add(a, b):
    return a + b


@dramatiq.actor(queue_name="notes")
def note(value):
    with lock:
        done.append(value)


@dramatiq.actor(max_retries=5, min_backoff=10, max_backoff=50)
def third_time():
    tried.append(1)
    if len(tried) < 3:
        raise RuntimeError("not yet")


@dramatiq.actor(max_retries=0)
def fail():
    raise RuntimeError("no luck")


worker = dramatiq.Worker(broker, worker_timeout=20, worker_threads=4)
worker.start()
try:
    assert add.send(2, 3).get_result(block=True, timeout=120_000) == 5
    assert dramatiq.group([add.message(i, i) for i in range(10)]).run().wait(timeout=120_000) is None
    assert list(dramatiq.group([add.message(i, i) for i in range(10)]).run().get_results(block=True, timeout=120_000)) == \
        [2 * i for i in range(10)]
    assert dramatiq.pipeline([add.message(1, 1), add.message(10)]).run().get_result(block=True, timeout=120_000) == 12
    for i in range(500):
        note.send(i)
    note.send_with_options(args=("later",), delay=50)
    third_time.send(), fail.send()
    for queue in ("default", "notes"):
        broker.join(queue, timeout=120_000)
    worker.join()
    assert sorted(map(str, done)) == sorted([*map(str, range(500)), "later"])
    assert len(tried) == 3
finally:
    worker.stop()
r = connect()
assert r.zcard("dramatiq:default.XQ") == 1 and r.hlen("dramatiq:default.XQ.msgs") == 1 and r.llen("dramatiq:default") == 0
assert r.hlen("dramatiq:notes.msgs") == 0

limits = Limits(host=HOST, port=PORT)
mutex = ConcurrentRateLimiter(limits, "mutex", limit=1, ttl=60_000)
with mutex.acquire():
    with mutex.acquire(raise_on_failure=False) as acquired:
        assert not acquired
with mutex.acquire() as acquired:
    assert acquired
window = WindowRateLimiter(limits, "window", limit=3, window=3600)
got = []
for _ in range(5):
    with window.acquire(raise_on_failure=False) as acquired:
        got.append(acquired)
assert got == [True] * 3 + [False] * 2
broker.close()
print("ok")
