"""Sessions with a sliding lifetime: each visit moves the end of the session away; who stays away is logged out.

A hash per session keeps its fields apart; nobody has to clean up.
"""

import secrets

from connect import connect

cache, LIFETIME_MS = connect(), 60_000


def log_in(user):
    token = secrets.token_hex(16)
    cache.hset(f"session:{token}", mapping={"user": user, "visits": 0})
    cache.pexpire(f"session:{token}", LIFETIME_MS)
    return token


def visit(token):
    key = f"session:{token}"
    if not cache.pexpire(key, LIFETIME_MS):
        return None
    cache.hincrby(key, "visits", 1)
    return cache.hgetall(key)


token = log_in("ada")
cache.pexpire(f"session:{token}", LIFETIME_MS // 2)  # time goes by
print("visit:", visit(token)["user"])
print("the visit moved the end:", "yes" if cache.pttl(f"session:{token}") > LIFETIME_MS // 2 else "no")
print("visits:", visit(token)["visits"])
cache.delete(f"session:{token}")
print("after logging out:", visit(token) or "no session")
other = log_in("bob")
cache.pexpire(f"session:{other}", 20)
while cache.exists(f"session:{other}"):
    pass
print("after staying away:", visit(other) or "no session")
