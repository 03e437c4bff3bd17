"""redis-py against larder: subscriptions, keyspace notifications, and over RESP3 its client-side cache.

Run as: redispy_messages.py HOST PORT PROTOCOL. It asserts, and prints ok at the end.
"""

import asyncio
import sys
import time

import redis
import redis.asyncio
from redis.cache import CacheConfig

HOST, PORT, PROTOCOL = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
r = redis.Redis(host=HOST, port=PORT, protocol=PROTOCOL, decode_responses=True)


def receive(p, *want):
    for kind, pattern, channel, data in want:
        got = p.get_message(timeout=120)
        assert got == {"type": kind, "pattern": pattern, "channel": channel, "data": data}, (got, (kind, pattern, channel, data))


def subscriptions():
    p = r.pubsub()
    p.subscribe("a", "b")
    p.psubscribe("n*")
    receive(p, ("subscribe", None, "a", 1), ("subscribe", None, "b", 2), ("psubscribe", None, "n*", 3))
    assert r.publish("a", "one") == 1 and r.publish("news", "two") == 1 and r.publish("other", "lost") == 0
    receive(p, ("message", None, "a", "one"), ("pmessage", "n*", "news", "two"))
    assert sorted(r.pubsub_channels()) == ["a", "b"] and r.pubsub_numpat() == 1
    assert [tuple(pair) for pair in r.pubsub_numsub("a", "none")] == [("a", 1), ("none", 0)]
    if PROTOCOL == 2:  # over RESP3 it is an answer as any other, which redis-py takes for a message
        p.ping("here")
        receive(p, ("pong", None, None, "here"))
    p.unsubscribe("a")
    p.punsubscribe()
    receive(p, ("unsubscribe", None, "a", 2), ("punsubscribe", None, "n*", 1))
    p.close()


def handlers():
    got = []
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe(jobs=lambda message: got.append(message["data"]))
    while r.pubsub_numsub("jobs")[0][1] != 1:
        pass
    worker = p.run_in_thread(sleep_time=0.01)
    for i in range(100):
        assert r.publish("jobs", i) == 1
    deadline = time.time() + 120
    while len(got) < 100 and time.time() < deadline:
        pass
    worker.stop()
    worker.join()
    assert got == [str(i) for i in range(100)], got


def notifications():
    r.config_set("notify-keyspace-events", "KEA")
    p = r.pubsub(ignore_subscribe_messages=True)
    p.psubscribe("__keyspace@0__:k")
    p.get_message(timeout=120)
    r.set("k", "v", px=20)
    for event in "set", "expire", "expired":
        receive(p, ("pmessage", "__keyspace@0__:k", "__keyspace@0__:k", event))
    p.close()
    r.config_set("notify-keyspace-events", "")


def eventually(holds):
    deadline = time.time() + 120
    while not holds():
        assert time.time() < deadline


def caching():
    cached = redis.Redis(host=HOST, port=PORT, protocol=3, decode_responses=True, cache_config=CacheConfig(max_size=10000))
    hold = cached.get_cache()
    r.set("c", "old")
    assert cached.get("c") == "old" and hold.size == 1
    calls = r.info("commandstats")["cmdstat_get"]["calls"]
    assert all(cached.get("c") == "old" for _ in range(50))
    assert r.info("commandstats")["cmdstat_get"]["calls"] == calls
    r.set("c", "new")
    eventually(lambda: cached.get("c") == "new")
    r.pexpire("c", 20)
    eventually(lambda: cached.get("c") is None)
    r.hset("h", "f", 1)
    assert cached.hget("h", "f") == "1" and cached.hgetall("h") == {"f": "1"}
    r.hset("h", "f", 2)
    eventually(lambda: cached.hget("h", "f") == "2" and cached.hgetall("h") == {"f": "2"})
    r.flushall()
    eventually(lambda: cached.hgetall("h") == {})
    cached.close()


async def asynchronous():
    async with redis.asyncio.Redis(host=HOST, port=PORT, protocol=PROTOCOL, decode_responses=True) as c:
        async with c.pubsub(ignore_subscribe_messages=True) as p:
            await p.subscribe("x")
            while (await c.publish("x", "hello")) == 0:
                pass
            message = None
            while message is None:
                message = await p.get_message(timeout=120)
            assert message["data"] == "hello"


subscriptions()
handlers()
notifications()
if PROTOCOL == 3:
    caching()
asyncio.run(asynchronous())
print("ok")
