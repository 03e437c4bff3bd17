"""Many readers of one value, which one of them makes. The function above the example is there to be copied."""

import threading
import time

from connect import connect

LEASE_MS = 10_000  # in which a value can be made
STALE_MORE_MS = 60_000  # that a stale value lives on when its maker fails


def fetch(client, key, make, ttl_ms, fresh_ms, tags=()):
    """Reads a value, which one of all its readers makes if it is absent or stale, or soon will be.

    The others wait for it, or get the stale one. A stale value is also what a reader gets whose make fails.
    """
    old, _, _, token, _ = client.execute_command("CACHE.GET", key, "LEASE", LEASE_MS, "WAIT", LEASE_MS, "STALE")
    if old is not None and token is None:
        return old
    try:
        value = make()
    except Exception:
        if token is not None:
            client.execute_command("CACHE.FAIL", key, token, "STALE", STALE_MORE_MS)
        if old is None:
            raise
        return old
    if token is not None:  # the reply is None if it was changed meanwhile: it is not kept then
        client.execute_command(
            "CACHE.SET", key, value, "PX", ttl_ms, "FRESH", fresh_ms, "LEASE", token, "TAGS", len(tags), *tags
        )
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
