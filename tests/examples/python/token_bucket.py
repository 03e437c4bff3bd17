"""A rate limiter as a script, a token bucket per client: it fills at a steady rate, and bursts may take what is in it.

Reading, computing and writing are one step on the server and by its clock, however many web servers ask: one round trip, and no
request is let through twice. EVALSHA sends 40 bytes instead of the script.
"""

from connect import connect

cache = connect()
take = cache.register_script("""
    local capacity, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
    local time = redis.call('TIME')
    local now = time[1] + time[2] / 1000000
    local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
    local tokens, at = tonumber(state[1]) or capacity, tonumber(state[2]) or now
    tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
    local allowed = tokens >= cost
    if allowed then tokens = tokens - cost end
    redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
    redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000))
    return {allowed and 1 or 0, math.floor(tokens)}
""")


def allow(client, capacity, per_second, cost=1):
    allowed, left = take(keys=[f"bucket:{client}"], args=[capacity, per_second, cost])
    return allowed == 1, left


def verdict(answer):
    return f"{'allowed' if answer[0] else 'refused'}, {answer[1]} left"


slowly = 0.01
print("allowed of 60:", sum(allow("10.0.0.1", 50, slowly)[0] for _ in range(60)))
print("another client:", verdict(allow("10.0.0.2", 50, slowly)))
print("a costly request:", verdict(allow("10.0.0.2", 50, slowly, cost=40)))
print("one more:", verdict(allow("10.0.0.2", 50, slowly, cost=40)))
print("a cheap one:", verdict(allow("10.0.0.2", 50, slowly)))
while allow("10.0.0.3", 2, 2)[0]:
    pass
while not allow("10.0.0.3", 2, 2)[0]:
    pass
print("a little later: allowed")
while cache.exists("bucket:10.0.0.3"):
    pass
print("a client that is gone: nothing kept")
