"""A stand-in for the slow database behind the cache: a dictionary that counts how often it is asked."""


class Database:
    def __init__(self, **rows):
        self.rows = {key.replace("_", ":"): row for key, row in rows.items()}
        self.reads = 0
        self.writes = 0

    def read(self, key):
        self.reads += 1
        return self.rows.get(key)

    def write(self, key, row):
        self.writes += 1
        self.rows[key] = row
