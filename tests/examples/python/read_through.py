"""Read-through: the cache object itself knows how to load what it misses; the application talks to nothing else.

Keeps caching out of the business logic: one place decides about keys, loading and lifetimes.
"""

import json

from connect import connect
from database import Database


class ReadThrough:
    def __init__(self, client, loader, ttl):
        self.client, self.loader, self.ttl = client, loader, ttl

    def __getitem__(self, key):
        cached = self.client.get(key)
        if cached is None:
            cached = json.dumps(self.loader(key))
            self.client.setex(key, self.ttl, cached)
        return json.loads(cached)


db = Database(product_1={"price": 10}, product_2={"price": 20})
products = ReadThrough(connect(), db.read, ttl=60)
print("sum of four reads:", sum(products[f"product:{n}"]["price"] for n in (1, 2, 1, 2)))
print("database reads:", db.reads)
