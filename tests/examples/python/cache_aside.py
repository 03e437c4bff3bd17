"""Cache-aside: the application asks the cache first, fills it on a miss, and drops the entry when the row changes.

For data that is read far more often than written. Only what is asked for takes memory.
"""

import json

from connect import connect
from database import Database

cache, db = connect(), Database(user_1={"name": "Ada"})


def get(key):
    cached = cache.get(key)
    if cached is not None:
        return json.loads(cached), "cache"
    row = db.read(key)
    cache.set(key, json.dumps(row), ex=3600)
    return row, "database"


def update(key, row):
    db.write(key, row)
    cache.delete(key)


for moment in ("first read", "second read"):
    row, source = get("user:1")
    print(f"{moment}: {row['name']} from {source}")
update("user:1", {"name": "Grace"})
row, source = get("user:1")
print(f"after the update: {row['name']} from {source}")
print("expires within the hour:", "yes" if 0 < cache.ttl("user:1") <= 3600 else "no")
print("database reads:", db.reads)
