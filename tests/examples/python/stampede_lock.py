"""A lock against stampedes, SET NX EX: when a hot entry is missing, one client rebuilds it and the others wait for it.

The lock expires by itself if its owner dies, and only its owner removes it (WATCH makes the check and the removal one step).
"""

import threading
import uuid

import redis

from connect import connect

cache = connect()
rebuilt = []


def unlock(client, lock, token):
    with client.pipeline() as p:
        try:
            p.watch(lock)
            if p.get(lock) != token:
                return False
            p.multi()
            p.delete(lock)
            p.execute()
            return True
        except redis.WatchError:
            return False


def get(client, key):
    while True:
        value = client.get(key)
        if value is not None:
            return value
        token = uuid.uuid4().hex
        if client.set(f"{key}:lock", token, nx=True, ex=10):
            try:
                value = client.get(key)  # somebody may have been faster
                if value is None:
                    rebuilt.append(key)
                    value = "expensive"
                    client.set(key, value, ex=60)
                return value
            finally:
                unlock(client, f"{key}:lock", token)


threads = [threading.Thread(target=lambda: get(connect(), "page")) for _ in range(20)]
[t.start() for t in threads], [t.join() for t in threads]
print("clients:", len(threads))
print("rebuilt:", len(rebuilt))
print("lock left:", cache.exists("page:lock"))
cache.set("other:lock", "somebody else's", nx=True, ex=10)
print("a stranger unlocks:", "yes" if unlock(cache, "other:lock", "mine") else "no")
