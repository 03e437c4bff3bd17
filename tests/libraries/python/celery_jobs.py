"""Celery with the server as broker and as store of results: a worker process, groups, chains, chords, retries, errors.

Scripts are in kombu's lock, by which one worker alone restores what others have not acknowledged, in the bindings of queues,
and in chords, which count the parts that are done.
"""

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone

from server import DEADLINE, URL, connect, raises, until

os.environ["SERVER_URL"] = URL
os.environ["PYTHONPATH"] = os.path.dirname(__file__)

from celery import chain, chord, group  # noqa: E402 (the application reads the environment)
from celery.result import AsyncResult  # noqa: E402
from celery_tasks import add, app, fail, noted_error, third_time, total  # noqa: E402


def tasks():
    result = add.delay(2, 3)
    assert result.get(timeout=DEADLINE) == 5 and AsyncResult(result.id, app=app).state == "SUCCESS"
    failed = fail.delay()
    assert "no luck" in str(raises(ValueError, failed.get, timeout=DEADLINE)) and failed.failed()
    assert third_time.delay().get(timeout=DEADLINE) == 2
    assert add.apply_async((1, 1), countdown=0.2).get(timeout=DEADLINE) == 2
    assert add.apply_async((2, 2), eta=datetime.now(timezone.utc) + timedelta(seconds=0.2)).get(timeout=DEADLINE) == 4
    many = [add.delay(i, i) for i in range(100)]
    assert [m.get(timeout=DEADLINE) for m in many] == [2 * i for i in range(100)]
    result.forget()
    assert connect(db=1).get(f"celery-task-meta-{result.id}") is None


def canvas():
    assert group(add.s(i, i) for i in range(10))().get(timeout=DEADLINE) == [2 * i for i in range(10)]
    assert chain(add.s(1, 1), add.s(10), add.s(100))().get(timeout=DEADLINE) == 112
    assert chord(add.s(i, i) for i in range(20))(total.s()).get(timeout=DEADLINE) == 380
    assert (group(add.s(1, 1), add.s(2, 2)) | total.s() | add.s(1)).delay().get(timeout=DEADLINE) == 7
    nested = chord([chord([add.s(1, 1), add.s(2, 2)], total.s()), add.s(3, 3)], total.s())
    assert nested.delay().get(timeout=DEADLINE) == 12
    broken = chord([add.s(1, 1), fail.s()], total.s().on_error(noted_error.s())).delay()
    assert "no luck" in str(raises(Exception, broken.get, timeout=DEADLINE))


def control():
    """What workers are told and asked goes over channels."""
    assert [list(answer.values())[0] for answer in app.control.ping(timeout=100, limit=1)] == [{"ok": "pong"}]
    later = add.apply_async((1, 2), countdown=3600)
    later.revoke()
    assert later.id in until(lambda: [t for w in (app.control.inspect(timeout=1).revoked() or {}).values() for t in w],
                             "the worker knows of the revocation")


command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--concurrency=2", "--loglevel=WARNING", "--without-mingle"]
worker = subprocess.Popen(command, cwd=os.path.dirname(__file__), stdin=subprocess.DEVNULL)
try:
    for test in (tasks, canvas, control):
        test()
    assert worker.poll() is None, "the worker has gone"
finally:
    worker.terminate()
    worker.wait()
r = connect()
assert r.llen("celery") == 1 and r.hlen("unacked") == 0  # a worker that goes puts back what it has not run: the revoked task
print("ok")
