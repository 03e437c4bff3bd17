"""A cache for the responses of a web application: HMSET, EXPIRE and HGETALL under a hash of the full path.

The view is not called at all while the response is fresh; the query string makes entries of their own.
"""

import hashlib

from flask import Flask, jsonify, request

from connect import connect

cache, LIFETIME = connect(), 60
app, calls = Flask(__name__), []


@app.get("/data")
def data():
    key = "response:" + hashlib.sha256(request.full_path.encode()).hexdigest()
    cached = cache.hgetall(key)
    if cached:
        return jsonify(source="cache", message=cached["message"])
    calls.append(request.full_path)
    message = f"computed {len(calls)}"
    cache.hmset(key, {"message": message, "path": request.full_path})
    cache.expire(key, LIFETIME)
    return jsonify(source="view", message=message)


browser = app.test_client()


def show(path):
    answer = browser.get(path).get_json()
    print(f"{path}: {answer['message']} from {answer['source']}")


show("/data")
show("/data")
show("/data?page=2")
show("/data?page=2")
for key in cache.keys("response:*"):
    cache.pexpire(key, 1)
while cache.keys("response:*"):
    pass
show("/data")
