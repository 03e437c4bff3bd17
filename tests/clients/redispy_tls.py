"""TLS by redis-py: with a certificate, without one, and with the wrong authority."""
import sys

import redis

host, port, ca, cert, key, wrong = sys.argv[1:]
tls = dict(host=host, port=int(port), ssl=True, ssl_certfile=cert, ssl_keyfile=key)
r = redis.Redis(ssl_ca_certs=ca, decode_responses=True, **tls)
big = "v" * (1 << 20)
assert r.set("py", big) and r.get("py") == big
pipe = r.pipeline(transaction=False)
for i in range(1000):
    pipe.set(f"py:{i}", i)
assert all(pipe.execute())
sub = r.pubsub()
sub.subscribe("news")
assert sub.get_message(timeout=120)["type"] == "subscribe"
r.publish("news", "here")
assert sub.get_message(timeout=120)["data"] == "here"
sub.close()
for refused in (
    dict(tls, ssl_ca_certs=wrong),
    dict(host=host, port=int(port), ssl=True, ssl_ca_certs=ca),
    dict(host=host, port=int(port)),
):
    try:
        redis.Redis(**refused).ping()
    except redis.ConnectionError:
        continue
    raise SystemExit(f"served: {refused}")
print("ok")
