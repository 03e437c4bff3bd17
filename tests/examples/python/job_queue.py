"""A job queue: producers push, workers wait.

BLMOVE hands a job to one worker and keeps it in a list of that worker until it is done, in one step: the jobs of a worker
that died are still there, and go back to the queue.
"""

import threading

from connect import connect

cache = connect()


def take(worker, patience):
    return cache.blmove("jobs", f"working:{worker}", patience, "RIGHT", "LEFT")


def done(worker, job):
    cache.lrem(f"working:{worker}", 1, job)


def bring_back(worker):
    """Returns what a worker left to the end of the queue that is served first."""
    n = 0
    while cache.lmove(f"working:{worker}", "jobs", "LEFT", "RIGHT") is not None:
        n += 1
    return n


def work(worker, finished):
    while (job := take(worker, 10)) != "stop":
        finished.append(job)
        done(worker, job)
    done(worker, "stop")


finished = []
workers = [threading.Thread(target=work, args=(i, finished)) for i in range(3)]
for w in workers:
    w.start()
for i in range(20):
    cache.lpush("jobs", f"job-{i}")
for _ in workers:
    cache.lpush("jobs", "stop")
for w in workers:
    w.join()
print("jobs done:", len(set(finished)), "of", len(finished))
cache.lpush("jobs", "first", "second")
print("taken:", take("mortal", 10))
print("in its hands:", *cache.lrange("working:mortal", 0, -1))
print("brought back:", bring_back("mortal"))
print("taken again:", take("heir", 10))
print("then:", take("heir", 10))
print("more:", "no" if take("heir", 0.05) is None else "yes")
