"""redis-py's Lock, on asyncio too: release, extend and reacquire are scripts that compare the owner's token."""

import asyncio
import threading

import redis
import redis.asyncio
from redis.exceptions import LockError, LockNotOwnedError

from server import HOST, PORT, connect, raises, until


def one_owner(r):
    lock, other = r.lock("one", timeout=100), r.lock("one", timeout=100)
    assert lock.acquire(blocking=False) and lock.owned() and lock.locked()
    assert not other.acquire(blocking=False) and not other.owned() and other.locked()
    raises(LockError, other.release)
    lock.release()
    assert not lock.locked() and not r.exists("one")
    raises(LockError, lock.release)
    with other:
        assert other.owned()
    assert not r.exists("one")


def stolen(r):
    lock = r.lock("stolen", timeout=100)
    lock.acquire()
    r.set("stolen", "somebody else's")
    for call in (lock.release, lambda: lock.reacquire(), lambda: lock.extend(10)):
        lock.local.token = lock.local.token or b"mine"
        raises(LockNotOwnedError, call)
    assert r.get("stolen") == "somebody else's"


def expired(r):
    lock = r.lock("short", timeout=0.02)
    assert lock.acquire()
    until(lambda: not r.exists("short"), "the lock expires")
    raises(LockNotOwnedError, lock.extend, 10)
    raises(LockNotOwnedError, lock.release)


def times(r):
    lock = r.lock("times", timeout=100)
    lock.acquire()
    assert lock.extend(200) and 200_000 < r.pttl("times") <= 300_000
    assert lock.extend(1000, replace_ttl=True) and 300_000 < r.pttl("times") <= 1_000_000
    assert lock.reacquire() and 0 < r.pttl("times") <= 100_000
    lock.release()


def blocking(r):
    holder = r.lock("wait", timeout=200)
    holder.acquire()
    assert not r.lock("wait").acquire(blocking_timeout=0.05, sleep=0.01)
    got = []
    waiting = threading.Thread(target=lambda: got.append(r.lock("wait", sleep=0.001).acquire(blocking_timeout=60)))
    waiting.start()
    holder.release()
    waiting.join()
    assert got == [True]


def exclusion(r):
    """Without the lock, GET and SET by many threads lose counts."""
    r.set("count", 0)

    def work():
        c = connect(decode_responses=True)
        for _ in range(25):
            with c.lock("count:lock", timeout=60, sleep=0.0005):
                c.set("count", int(c.get("count")) + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert r.get("count") == "100"


def forgotten(r):
    """SCRIPT FLUSH makes EVALSHA fail with NOSCRIPT, which the client mends by sending the script again."""
    lock = r.lock("again", timeout=100)
    lock.acquire()
    assert r.script_flush()
    lock.release()
    assert r.script_exists(lock.lua_release.sha) == [True]


async def asynchronous(protocol):
    async with redis.asyncio.Redis(host=HOST, port=PORT, protocol=protocol) as r:
        async with r.lock("async", timeout=100) as lock:
            assert await lock.owned() and await lock.extend(10) and await lock.reacquire()
            assert not await r.lock("async").acquire(blocking=False)
        assert not await r.exists("async")


def scripts(r):
    """What redis-py does with scripts beside locks: pipelines, read-only calls, types."""
    add = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert add(keys=["n"], args=[5]) == 5
    with r.pipeline() as p:
        p.set("n", 1)
        add(keys=["n"], args=[2], client=p)
        p.get("n")
        assert p.execute() == [True, 3, "3"]
    assert r.eval("return {1, 'two', {3, redis.status_reply('FOUR')}, false, 5.7}", 0) == [1, "two", [3, "FOUR"], None, 5]
    assert r.eval_ro("return redis.call('GET', KEYS[1])", 1, "n") == "3"
    assert "read-only" in str(raises(redis.ResponseError, r.eval_ro, "return redis.call('INCR', KEYS[1])", 1, "n"))
    sha = r.script_load("return ARGV")
    assert r.evalsha(sha, 0, "a", "b") == ["a", "b"] == r.evalsha_ro(sha, 0, "a", "b")
    assert r.script_exists(sha, "0" * 40) == [True, False]
    raises(redis.exceptions.NoScriptError, r.evalsha, "0" * 40, 0)
    assert "gone wrong" in str(raises(redis.ResponseError, r.eval, "return redis.error_reply('gone wrong')", 0))
    assert "WRONGTYPE" in str(raises(redis.ResponseError, r.eval, "return redis.call('HGET', KEYS[1], 'f')", 1, "n"))


for protocol in (2, 3):
    r = connect(protocol=protocol, decode_responses=True)
    r.flushall()
    for test in (one_owner, stolen, expired, times, blocking, exclusion, forgotten, scripts):
        test(r)
    asyncio.run(asynchronous(protocol))
print("ok")
