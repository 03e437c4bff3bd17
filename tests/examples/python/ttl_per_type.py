"""A lifetime for each type of content: as long as a stale copy may be shown.

The simplest invalidation there is: nobody has to remember to do it.
"""

from connect import connect

LIFETIMES = {"breaking": 30, "feed": 60, "profile": 1800, "article": 3600, "country": 86400}

cache = connect()


def put(kind, name, value):
    cache.set(f"{kind}:{name}", value, ex=LIFETIMES[kind])


for kind in LIFETIMES:
    put(kind, "x", "content")
for kind, lifetime in LIFETIMES.items():
    print(f"{kind}: {'ok' if lifetime / 2 <= cache.ttl(f'{kind}:x') <= lifetime else 'wrong'}")
cache.set("flash:x", "gone in a moment", px=40)
while cache.exists("flash:x"):
    pass
print("after its time:", cache.get("flash:x") or "gone")
