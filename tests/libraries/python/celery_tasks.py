"""The tasks of celery_jobs.py, and the application, with the server as broker and as the store of results."""

import os

from celery import Celery

URL = os.environ["SERVER_URL"]
app = Celery("tasks", broker=URL + "/0", backend=URL + "/1")
app.conf.update(
    broker_connection_retry_on_startup=True, result_extended=True, task_track_started=True, worker_prefetch_multiplier=1,
    broker_transport_options={"polling_interval": 0.05, "visibility_timeout": 60}, worker_hijack_root_logger=False,
    task_acks_late=True)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail():
    raise ValueError("no luck")


@app.task(bind=True, max_retries=5)
def third_time(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def noted_error(request, exception, traceback):
    return "noted"
