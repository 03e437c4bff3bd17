"""Write-behind: counters are incremented in the cache and flushed to the database in batches.

For view counts and likes: a thousand increments become one write. What was not flushed yet is lost with the cache.
"""

from connect import connect
from database import Database

cache, db = connect(), Database()


def viewed(article):
    with cache.pipeline() as p:
        p.incr(f"views:{article}")
        p.sadd("views:dirty", article)
        p.execute()


def flush():
    with cache.pipeline() as p:  # take the list of what changed and empty it, in one step
        p.smembers("views:dirty").delete("views:dirty")
        dirty = sorted(p.execute()[0])
    counts = cache.mget([f"views:{article}" for article in dirty]) if dirty else []
    for article, count in zip(dirty, counts):
        db.write(article, int(count))
    return len(dirty)


for i in range(1000):
    viewed(f"article-{i % 3}")
print("flushed articles:", flush())
print("article-0:", db.rows["article-0"])
print("article-2:", db.rows["article-2"])
print("flushed again:", flush())
viewed("article-2")
print("flushed after one view:", flush())
print("article-2:", db.rows["article-2"])
print("database writes:", db.writes)
