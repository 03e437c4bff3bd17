"""A leaderboard: a sorted set of players by points.

ZINCRBY counts, and the set is always in order: the best, a player's place and who is around him are one question each,
however many players there are.
"""

from connect import connect

cache = connect()

for i in range(10_000):
    cache.zadd("board", {f"player-{i}": i})
cache.zincrby("board", 500_000, "player-77")
cache.zincrby("board", 250_000, "player-5000")
for name, points in cache.zrevrange("board", 0, 2, withscores=True):
    print(f"{name}: {points:.0f}")
place = cache.zrevrank("board", "player-5001")
print("place of player-5001:", place + 1)
print("around:", *cache.zrange("board", place - 1, place + 1, desc=True))
print("with 9000 points and more:", cache.zcount("board", 9000, "+inf"))
print("removed below 100:", cache.zremrangebyscore("board", "-inf", "(100"))
print("players:", cache.zcard("board"))
cache.zadd("yesterday", {"player-77": 1000, "player-1": 7})
cache.zunionstore("week", {"board": 1, "yesterday": 2})
print("player-77 in the week:", f"{cache.zscore('week', 'player-77'):.0f}")
