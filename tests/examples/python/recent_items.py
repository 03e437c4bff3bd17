"""The latest items: a list per user that never grows beyond what is shown.

LPUSH puts the newest first and LTRIM cuts off the oldest; both in one transaction, so that nobody sees a list that is too long.
"""

from connect import connect

cache = connect()
KEPT = 10


def viewed(user, article):
    with cache.pipeline() as p:
        p.lrem(f"recent:{user}", 0, article)  # what is seen again moves to the front
        p.lpush(f"recent:{user}", article)
        p.ltrim(f"recent:{user}", 0, KEPT - 1)
        p.execute()


for i in range(100):
    viewed("ada", f"article-{i}")
print("kept:", cache.llen("recent:ada"))
print("latest:", *cache.lrange("recent:ada", 0, 2))
viewed("ada", "article-95")
print("seen again:", *cache.lrange("recent:ada", 0, 2))
print("oldest:", cache.lindex("recent:ada", -1))
print("place of article-93:", cache.lpos("recent:ada", "article-93"))
print("second page:", *cache.lrange("recent:ada", 5, 9))
