"""Jobs for later: a sorted set of jobs by the time when they are due.

Whoever removes a job runs it: ZREM says 1 to one of the workers that saw it. A job that is planned anew is moved, not doubled.
"""

from connect import connect

cache = connect()


def plan(job, at):
    cache.zadd("later", {job: at})


def due(now):
    """The jobs that are this worker's to run, the earliest first."""
    return [job for job in cache.zrange("later", "-inf", now, byscore=True) if cache.zrem("later", job) == 1]


plan("send mail", 100)
plan("renew cache", 50)
plan("close session", 200)
plan("renew cache", 120)
print("planned:", cache.zcard("later"))
print("next at:", f"{cache.zrange('later', 0, 0, withscores=True)[0][1]:.0f}")
print("due at 110:", ", ".join(due(110)))
print("due at 300:", ", ".join(due(300)))
print("left:", cache.zcard("later"))
