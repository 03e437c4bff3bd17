"""Write-through: each write goes to the database and the cache together, so that a read always finds the latest value.

For profiles and settings, where a stale answer right after saving would be noticed.
"""

import json

from connect import connect
from database import Database

cache, db = connect(), Database(profile_7={"name": "Ada", "city": "London"})


def save(key, **changes):
    row = {**load(key), **changes}
    db.write(key, row)
    cache.setex(key, 3600, json.dumps(row))


def load(key):
    cached = cache.get(key)
    if cached is not None:
        return json.loads(cached)
    row = db.read(key)
    cache.setex(key, 3600, json.dumps(row))
    return row


save("profile:7", city="Paris")
save("profile:7", name="Ada L.")
row = load("profile:7")
print(f"read: {row['name']}, {row['city']}")
print("same in the database:", "yes" if db.rows["profile:7"] == row else "no")
print("database reads:", db.reads)
print("database writes:", db.writes)
