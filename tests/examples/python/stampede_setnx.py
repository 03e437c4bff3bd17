"""The older form of the lock, SETNX and then EXPIRE, as much code still has it.

Between the two calls a crash would leave a lock for ever; SET NX EX has no such gap.
"""

import threading

from connect import connect

cache = connect()
rebuilt = []


def get(client, key):
    while True:
        value = client.get(key)
        if value is not None:
            return value
        if client.setnx(f"{key}:lock", 1):
            client.expire(f"{key}:lock", 10)
            try:
                if client.get(key) is None:
                    rebuilt.append(key)
                    client.setex(key, 60, "expensive")
            finally:
                client.delete(f"{key}:lock")


threads = [threading.Thread(target=lambda: get(connect(), "page")) for _ in range(20)]
[t.start() for t in threads], [t.join() for t in threads]
print("clients:", len(threads))
print("rebuilt:", len(rebuilt))
print("lock left:", cache.exists("page:lock"))
