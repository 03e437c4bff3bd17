"""A lock that servers share, for a job that only one of them is to do: SET NX PX takes it, scripts give it back and prolong it.

Comparing the owner's token and removing the lock must be one step, or an owner that was too slow removes the lock of the
next one. The script does both in one call. redis-py has all of this as Redis.lock().
"""

import threading
import uuid

from connect import connect

cache = connect()
release = cache.register_script("""
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('DEL', KEYS[1])
""")
prolong = cache.register_script("""
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")


class Lock:
    def __init__(self, name, lifetime_ms):
        self.name, self.lifetime, self.token = f"lock:{name}", lifetime_ms, uuid.uuid4().hex

    def acquire(self):
        return bool(cache.set(self.name, self.token, nx=True, px=self.lifetime))

    def prolong(self, more_ms):
        return prolong(keys=[self.name], args=[self.token, more_ms]) == 1

    def release(self):
        return release(keys=[self.name], args=[self.token]) == 1


def yes_no(b):
    return "yes" if b else "no"


owners = []


def server():
    lock = Lock("nightly", 60_000)
    if lock.acquire():
        owners.append(lock)


servers = [threading.Thread(target=server) for _ in range(10)]
[s.start() for s in servers], [s.join() for s in servers]
print("servers:", len(servers))
print("do the job:", len(owners))
owner, stranger = owners[0], Lock("nightly", 60_000)
print("the owner prolongs:", yes_no(owner.prolong(120_000)))
print("more than a minute left:", yes_no(cache.pttl(owner.name) > 60_000))
print("a stranger prolongs:", yes_no(stranger.prolong(120_000)))
print("a stranger releases:", yes_no(stranger.release()))
print("the owner releases:", yes_no(owner.release()))
print("the next one gets it:", yes_no(stranger.acquire()))

slow, other = Lock("short", 30), Lock("short", 60_000)
slow.acquire()
while not other.acquire():
    pass
print("too slow, still the owner:", yes_no(slow.prolong(60_000)))
print("removes the other's lock:", yes_no(slow.release()))
print("the other has it:", yes_no(cache.get(other.name) == other.token))
