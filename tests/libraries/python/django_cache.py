"""django-redis: the cache, its locks, delete_pattern and incr, which are scripts, and Django's own Redis cache beside it."""

import threading

import django
from django.conf import settings

from server import URL, connect, raises, until

settings.configure(
    CACHES={
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": URL + "/1", "KEY_PREFIX": "site",
                    "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"}},
        "herd": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": URL + "/2",
                 "OPTIONS": {"CLIENT_CLASS": "django_redis.client.HerdClient"}},
        "own": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": URL + "/3"},
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache", INSTALLED_APPS=["django.contrib.sessions"])
django.setup()

from django.core.cache import cache, caches  # noqa: E402 (settings come first)
from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402


def values(cache):
    cache.set("k", {"a": [1, 2.5, "drei"]}, timeout=60)
    assert cache.get("k") == {"a": [1, 2.5, "drei"]} and cache.get("none", 7) == 7 and "k" in cache
    assert cache.add("k", 1) is False and cache.add("new", 1) is True
    cache.set_many({f"m{i}": i for i in range(50)}, timeout=60)
    assert cache.get_many(["m1", "m2", "none"]) == {"m1": 1, "m2": 2}
    cache.delete_many(["m1", "m2"])
    assert cache.get("m1") is None and cache.get("m3") == 3
    assert cache.delete("k") and not cache.delete("k")
    assert cache.get_or_set("made", lambda: "once", 60) == "once" == cache.get_or_set("made", lambda: "twice", 60)
    cache.set("n", 10, timeout=60)
    assert cache.incr("n") == 11 and cache.incr("n", 5) == 16 and cache.decr("n", 6) == 10
    raises(ValueError, cache.incr, "none")
    assert cache.touch("n", 600) and not cache.touch("none", 600)
    cache.set("short", 1, timeout=1)
    until(lambda: cache.get("short") is None, "an entry expires")
    cache.set("versioned", "old", version=1)
    assert cache.incr_version("versioned") == 2 and cache.get("versioned") is None and cache.get("versioned", version=2) == "old"


def more():
    """What django-redis has beside Django's interface."""
    cache.set("n", 1, timeout=100)
    assert 90 < cache.ttl("n") <= 100 and 90_000 < cache.pttl("n") <= 100_000 and cache.ttl("none") == 0
    assert cache.persist("n") and cache.ttl("n") is None and cache.expire("n", 500) and cache.pexpire("n", 500_000)
    cache.set("huge", 2**70)
    assert cache.incr("huge") == 2**70 + 1  # too big for INCRBY in the script, which then is told so
    assert cache.incr("from nothing", 3, ignore_key_check=True) == 3
    assert cache.set("lock", 1, nx=True) and not cache.set("lock", 1, nx=True)
    for i in range(1200):
        cache.set(f"page:{i}", i)
    assert len(list(cache.iter_keys("page:*"))) == 1200 == len(cache.keys("page:*"))
    assert cache.delete_pattern("page:1*") == 311 and cache.delete_pattern("page:*", itersize=100) == 889
    assert cache.delete_pattern("page:*") == 0 and cache.get("n") == 1
    assert cache.sadd("s", "a", "b") == 2 and cache.smembers("s") == {"a", "b"}


def locks():
    with cache.lock("job", timeout=30) as lock:
        assert lock.owned()
        assert not cache.lock("job").acquire(blocking=False)
        lock.extend(10)
    cache.set("count", 0)

    def work():
        for _ in range(20):
            with cache.lock("count:lock", timeout=30, sleep=0.001):
                cache.set("count", cache.get("count") + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert cache.get("count") == 80


def sessions():
    session = SessionStore()
    session["user"] = 7
    session.save()
    again = SessionStore(session.session_key)
    assert again["user"] == 7
    again.flush()
    assert "user" not in SessionStore(session.session_key)


for c in (cache, caches["own"]):
    values(c)
    c.clear()
    assert c.get("n") is None
more(), locks(), sessions()
herd = caches["herd"]
herd.set("k", "v", timeout=60)
assert herd.get("k") == "v"
assert connect(db=2).dbsize() == 1
print("ok")
