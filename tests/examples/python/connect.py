"""Every example is run as: EXAMPLE.py HOST PORT."""

import sys

import redis


def connect():
    return redis.Redis(host=sys.argv[1], port=int(sys.argv[2]), decode_responses=True)
