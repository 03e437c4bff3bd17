"""The jobs of rq_jobs.py, which workers import by name."""

from rq import get_current_job


def connection():
    return get_current_job().connection


def note(value):
    connection().rpush("noted", value)
    return value


def fail():
    raise RuntimeError("no luck")


def fail_until(n):
    tried = connection().incr("tried")
    if tried < n:
        raise RuntimeError("not yet")
    return tried


def noted_failure(job, connection, type, value, traceback):
    connection.set("failure", job.id)
