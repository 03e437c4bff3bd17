"""Versioned keys: the key contains a version; raising it makes all older entries unreachable, and they expire in their own time.

Invalidation in one INCR, however many entries there are, and never a race between dropping and filling.
"""

from connect import connect
from database import Database

cache, db = connect(), Database(user_1="v1 of the profile")


def get(user):
    version = cache.get(f"{user}:version") or "1"
    key = f"{user}:v{version}:profile"
    value = cache.get(key)
    if value is None:
        value = db.read(user)
        cache.setex(key, 600, value)
    return value


def update(user, value):
    db.write(user, value)
    if cache.incr(f"{user}:version") == 1:  # readers took a missing version for 1
        cache.incr(f"{user}:version")


print(get("user:1"))
update("user:1", "v2 of the profile")
print(get("user:1"))
print(get("user:1"))
update("user:1", "v3 of the profile")
print(get("user:1"))
print("version:", cache.get("user:1:version"))
print("entries:", " ".join(sorted(cache.keys("user:1:v[0-9]*"))))
print("database reads:", db.reads)
