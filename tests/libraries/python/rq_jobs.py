"""rq: workers in burst mode, which fork for every job: results, failures, retries, dependencies, unique jobs, schedules.

rq 3 keeps what jobs return, and why they failed, in streams. On a server without them, the jobs here return nothing that is
to be kept (result_ttl=0), and those that fail are left out.
"""

from datetime import datetime, timedelta, timezone

from rq import Callback, Queue, Retry, SimpleWorker, Worker
from rq.exceptions import DuplicateJobError
from rq.job import JobStatus
from rq.rate_limit import RateLimit, RateLimitRegistry
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry
from rq.scheduler import RQScheduler

import rq_tasks
from server import connect, has, raises

STREAMS = has("XADD", "XREVRANGE", "XREAD")
KEEP = {} if STREAMS else {"result_ttl": 0}
r = connect()
queue, urgent = Queue("default", connection=r), Queue("urgent", connection=r)


def work(*queues, kind=Worker, **options):
    """Runs one worker until the queues are empty. Its forked children die with this program."""
    return kind(queues or (urgent, queue), connection=r).work(burst=True, logging_level="WARNING", **options)


def plain():
    jobs = [queue.enqueue(rq_tasks.note, i, **KEEP) for i in range(5)]
    first = urgent.enqueue(rq_tasks.note, "first", **KEEP)
    assert len(queue) == 5 and queue.get_job_ids()[0] == jobs[0].id
    assert work()
    assert r.lrange("noted", 0, -1) == [b"first"] + [b"%d" % i for i in range(5)]
    assert len(queue) == 0 and len(urgent) == 0
    if STREAMS:
        assert first.get_status() == JobStatus.FINISHED and jobs[3].return_value() == 3
        assert len(FinishedJobRegistry(queue=queue)) == 5


def many():
    r.delete("noted")
    queue.enqueue_many([Queue.prepare_data(rq_tasks.note, (i,), **KEEP) for i in range(200)])
    assert work(kind=SimpleWorker)
    assert r.llen("noted") == 200


def front():
    r.delete("noted")
    queue.enqueue(rq_tasks.note, "b", **KEEP)
    queue.enqueue(rq_tasks.note, "a", at_front=True, **KEEP)
    assert work(kind=SimpleWorker) and r.lrange("noted", 0, -1) == [b"a", b"b"]


def unique():
    r.delete("noted")
    queue.enqueue(rq_tasks.note, "u", job_id="only-one", unique=True, **KEEP)
    raises(DuplicateJobError, queue.enqueue, rq_tasks.note, "u", job_id="only-one", unique=True)
    queue.enqueue_in(timedelta(hours=1), rq_tasks.note, "u", job_id="later", unique=True)
    raises(DuplicateJobError, queue.enqueue_in, timedelta(hours=1), rq_tasks.note, "u", job_id="later", unique=True)
    assert work(kind=SimpleWorker) and r.lrange("noted", 0, -1) == [b"u"]
    ScheduledJobRegistry(queue=queue).remove("later", delete_job=True)


def dependencies():
    r.delete("noted")
    one = queue.enqueue(rq_tasks.note, "one", **KEEP)
    two = queue.enqueue(rq_tasks.note, "two", depends_on=one, **KEEP)
    queue.enqueue(rq_tasks.note, "three", depends_on=two, **KEEP)
    assert len(queue) == 1 and two.get_status() == JobStatus.DEFERRED
    assert work(kind=SimpleWorker) and r.lrange("noted", 0, -1) == [b"one", b"two", b"three"]


def scheduled():
    r.delete("noted")
    queue.enqueue_at(datetime.now(timezone.utc) - timedelta(seconds=1), rq_tasks.note, "past", **KEEP)
    queue.enqueue_in(timedelta(hours=1), rq_tasks.note, "future", **KEEP)
    assert len(ScheduledJobRegistry(queue=queue)) == 2
    worker = Worker([queue], connection=r, prepare_for_work=False)
    worker.run_maintenance_tasks()
    scheduler = RQScheduler([queue], connection=r)
    assert scheduler.acquire_locks() == {"default"}
    assert RQScheduler([queue], connection=r).acquire_locks() == set()
    scheduler.enqueue_scheduled_jobs()
    scheduler.heartbeat(), scheduler.release_locks()
    assert work(kind=SimpleWorker) and r.lrange("noted", 0, -1) == [b"past"]
    assert len(ScheduledJobRegistry(queue=queue)) == 1


def limited():
    """At most two of a kind at a time: the others are let in by a script, as those before end."""
    r.delete("noted")
    limit = RateLimit("api", concurrency=2)
    for i in range(6):
        queue.enqueue(rq_tasks.note, i, rate_limit=limit, **KEEP)
    assert len(queue) == 2
    assert work(kind=SimpleWorker)
    assert sorted(r.lrange("noted", 0, -1)) == [b"%d" % i for i in range(6)]
    left = RateLimitRegistry("api", connection=r)
    assert left.get_allowed_job_count() == left.get_rate_limited_job_count() == 0


def failures():
    if not STREAMS:
        return
    failed = queue.enqueue(rq_tasks.fail, on_failure=Callback(rq_tasks.noted_failure))
    retried = queue.enqueue(rq_tasks.fail_until, 3, retry=Retry(max=5))
    assert work()
    assert failed.get_status() == JobStatus.FAILED and "no luck" in failed.latest_result().exc_string
    assert r.get("failure") == failed.id.encode() and failed.id in FailedJobRegistry(queue=queue)
    assert retried.get_status() == JobStatus.FINISHED and retried.return_value() == 3
    failed.requeue()
    assert len(queue) == 1
    queue.empty()


r.flushall()
for test in (plain, many, front, unique, dependencies, scheduled, limited, failures):
    test()
print("ok")
