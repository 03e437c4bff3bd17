"""Negative caching: that a row does not exist is remembered too, for a short while.

Keeps made-up or mistyped ids from reaching the database each time they are asked for.
"""

import json

from connect import connect
from database import Database

cache, db = connect(), Database(item_1="a thing")


def get(key):
    cached = cache.get(key)
    if cached is not None:
        return json.loads(cached)
    row = db.read(key)
    cache.setex(key, 3600 if row is not None else 60, json.dumps(row))
    return row


print("found:", get("item:1"), "and", get("item:1"))
print("missing:", [get("item:404") for _ in range(3)].count(None), "times")
print("database reads:", db.reads)
print("the negative entry lives shorter:", "yes" if cache.ttl("item:404") <= 60 < cache.ttl("item:1") else "no")
