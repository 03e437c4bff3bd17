"""Every program here is run as: PROGRAM.py HOST PORT, with an empty server, and prints ok when all held."""

import faulthandler
import sys
import time

import redis

HOST, PORT = sys.argv[1], int(sys.argv[2])
URL = f"redis://{HOST}:{PORT}"
DEADLINE = 120  # seconds

# What hangs shows where, instead of holding up all tests.
faulthandler.dump_traceback_later(DEADLINE * 2, exit=True)


def connect(**options):
    return redis.Redis(host=HOST, port=PORT, **options)


def has(*commands):
    """Whether the server knows all these commands."""
    known = connect().command()
    return all(c.lower() in known for c in commands)


def raises(kind, call, *args, **kwargs):
    try:
        got = call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{call} gave {got!r} instead of {kind}")


def until(condition, what):
    """Waits until something holds, and returns it."""
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.002)
    return value
