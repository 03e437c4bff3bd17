"""Many readers of one value, which one of them makes. The function above the example is there to be copied."""

import threading
import time

from connect import connect

LEASE_MS = 10_000  # in which a value can be made
WAIT_MS = 2_000  # that one request waits: less than socket_timeout, which is 5 s by default
STALE_MORE_MS = 60_000  # that a stale value lives on when its maker fails


def fetch(client, key, make, ttl_ms, fresh_ms=None, tags=()):
    """Reads a value, which one of all its readers makes if it is absent or stale, or soon will be.

    The others wait for it, or get the stale one. A stale value is also what a reader gets whose make fails.
    """
    start = time.monotonic()
    while True:
        old, _, _, token, _ = client.execute_command("CACHE.GET", key, "LEASE", LEASE_MS, "WAIT", WAIT_MS, "STALE")
        if old is not None and token is None:
            return old
        if token is not None or time.monotonic() - start > LEASE_MS / 1000:
            break
    try:
        value = make()
    except Exception:
        if token is not None:
            client.execute_command("CACHE.FAIL", key, token, "STALE", STALE_MORE_MS)
        if old is None:
            raise
        return old
    if token is not None:  # the reply is None if it was changed meanwhile: it is not kept then
        fresh = ["FRESH", fresh_ms] if fresh_ms else []
        client.execute_command("CACHE.SET", key, value, "PX", ttl_ms, *fresh, "LEASE", token, "TAGS", len(tags), *tags)
    return value


cache = connect()
made = 0


def page():
    global made
    time.sleep(0.05)
    made += 1
    return f"page {made}"


def broken():
    raise RuntimeError("the database is down")


def read():
    values = []
    readers = [
        threading.Thread(target=lambda: values.append(fetch(cache, "page:17", page, 3_600_000, 60_000, ["pages"])))
        for _ in range(20)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return values[-1]


print(f"20 readers: {read()}, made {made} times")
cache.execute_command("CACHE.INVALIDATE", "pages")
print(f"after its tag was invalidated: {read()}, made {made} times")
cache.execute_command("CACHE.STALE", "pages")
print("stale, and the database is down:", fetch(cache, "page:17", broken, 3_600_000, 60_000, ["pages"]))
print("without a fresh time:", fetch(cache, "page:18", page, 3_600_000))
try:
    fetch(cache, "page:19", broken, 3_600_000, 60_000, ["pages"])
except RuntimeError:
    free = cache.execute_command("CACHE.GET", "page:19", "LEASE", 1000)[3] is not None
    print("a reader gave up, the next may make it:", "yes" if free else "no")
