"""pottery: Redlock, and NextId, both by scripts."""

import threading

from pottery import NextID, Redlock
from pottery.exceptions import ExtendUnlockedLock, ReleaseUnlockedLock

from server import connect, raises


def masters():
    return {connect(db=i) for i in range(3)}  # databases stand for servers: a majority must agree all the same


def lock(**options):
    return Redlock(key="printer", masters=masters(), **options)


first, second = lock(auto_release_time=30), lock(auto_release_time=30)
assert first.acquire() and first.locked() > 0
assert not second.acquire(blocking=False)
raises(ReleaseUnlockedLock, second.release)
raises(ExtendUnlockedLock, second.extend)
first.extend()
assert first.locked() > 20
first.release()
assert first.locked() == 0 and second.acquire(blocking=False)
second.release()

count = [0]


def work():
    for _ in range(10):
        with lock(auto_release_time=60):
            count[0] += 1


threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads], [t.join() for t in threads]
assert count == [40]

ids = NextID(key="ids", masters=masters())
assert [next(ids) for _ in range(20)] == list(range(1, 21))
print("ok")
