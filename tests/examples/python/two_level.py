"""A two-level cache: a small one in the process before the shared one.

The hottest entries cost no network at all; the price is that a process may show an old value for as long as its own copy lives.
"""

from connect import connect
from database import Database


class TwoLevel:
    def __init__(self, shared, db):
        self.local, self.shared, self.db, self.hits = {}, shared, db, {"local": 0, "shared": 0, "database": 0}

    def get(self, key):
        if key in self.local:
            self.hits["local"] += 1
            return self.local[key]
        value = self.shared.get(key)
        if value is not None:
            self.hits["shared"] += 1
        else:
            self.hits["database"] += 1
            value = self.db.read(key)
            self.shared.set(key, value, ex=300)
        self.local[key] = value
        return value

    def drop(self, key):
        self.local.pop(key, None)
        self.shared.delete(key)


db = Database(page_1="hello")
first, second = TwoLevel(connect(), db), TwoLevel(connect(), db)
for process in (first, first, first, second, second):
    process.get("page:1")
print("first:", *(f"{k}={v}" for k, v in first.hits.items()))
print("second:", *(f"{k}={v}" for k, v in second.hits.items()))
db.write("page:1", "new")
first.drop("page:1")
print("first after the drop:", first.get("page:1"))
print("second still has:", second.get("page:1"))
