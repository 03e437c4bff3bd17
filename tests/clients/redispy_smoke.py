"""redis-py against larder: every command family through the client's own methods, with its defaults.

Run as: redispy_smoke.py HOST PORT PROTOCOL. It asserts, and prints ok at the end.
"""

import asyncio
import sys
import threading
import time

import redis
import redis.asyncio

HOST, PORT, PROTOCOL = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
r = redis.Redis(host=HOST, port=PORT, protocol=PROTOCOL, decode_responses=True)
raw = redis.Redis(host=HOST, port=PORT, protocol=PROTOCOL)


def fails(error, text, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except error as e:
        assert text in str(e), (text, str(e))
        return
    raise AssertionError(f"no {error.__name__}")


def strings():
    assert r.set("k", "v", ex=60) is True
    assert r.get("k") == "v" and r.get("none") is None
    assert r.set("k", "w", nx=True) is None
    assert r.set("k", "w", get=True) == "v"
    assert r.set("k", "w", px=60000, xx=True) and 0 < r.pttl("k") <= 60000
    assert r.set("k", "w", keepttl=True) and r.ttl("k") > 0
    assert r.getex("k", persist=True) == "w" and r.ttl("k") == -1
    assert r.getset("k", "x") == "w" and r.getdel("k") == "x"
    assert r.setnx("n", 1) is True and r.setnx("n", 2) is False
    assert r.setex("e", 60, "v") and r.psetex("pe", 60000, "v")
    assert r.incr("n") == 2 and r.incrby("n", 5) == 7 and r.decr("n", 3) == 4
    assert r.incrbyfloat("n", 0.5) == 4.5
    assert r.append("a", "hello") == 5 and r.getrange("a", 1, 3) == "ell" and r.strlen("a") == 5
    assert r.setrange("a", 0, "J") == 5 and r.get("a") == "Jello"
    assert r.mset({"m1": 1, "m2": 2}) and r.mget("m1", "none", "m2") == ["1", None, "2"]
    assert r.msetnx({"m2": 1, "m3": 1}) is False
    assert r.lcs("a", "a") == "Jello" and r.lcs("a", "none", len=True) == 0
    assert raw.set("bin", bytes(range(256))) and raw.get("bin") == bytes(range(256))
    fails(redis.ResponseError, "not an integer", r.incr, "a")
    fails(redis.ResponseError, "WRONGTYPE", r.sadd, "a", 1)


def hashes():
    assert r.hset("h", mapping={"f": "v", "n": 1}) == 2
    assert r.hgetall("h") == {"f": "v", "n": "1"} and r.hgetall("none") == {}
    assert r.hget("h", "f") == "v" and r.hmget("h", "f", "none") == ["v", None]
    assert r.hincrby("h", "n", 2) == 3 and r.hincrbyfloat("h", "n", 0.5) == 3.5
    assert r.hexists("h", "f") and not r.hexists("h", "none")
    assert r.hlen("h") == 2 and r.hstrlen("h", "f") == 1
    assert sorted(r.hkeys("h")) == ["f", "n"] and sorted(r.hvals("h")) == ["3.5", "v"]
    assert r.hsetnx("h", "f", "w") in (0, False) and r.hdel("h", "n", "none") == 1
    assert r.hrandfield("h") == "f"
    assert r.hrandfield("h", 1, withvalues=True) in (["f", "v"], [["f", "v"]])
    r.hset("big", mapping={f"f{i}": i for i in range(2000)})
    assert dict(r.hscan_iter("big", count=100)) == {f"f{i}": str(i) for i in range(2000)}
    assert r.hmset("old", {"a": 1}) is True


def sets():
    assert r.sadd("s", "a", "b", "c") == 3 and r.smembers("s") == {"a", "b", "c"}
    assert r.sismember("s", "a") == 1 and r.smismember("s", ["a", "z"]) == [1, 0]
    assert r.srem("s", "c") == 1 and r.scard("s") == 2 and r.smove("s", "s2", "b")
    assert r.srandmember("s") == "a" and r.srandmember("s", 3) == ["a"] and r.spop("s") == "a"
    r.sadd("x", 1, 2, 3), r.sadd("y", 2, 3, 4)
    assert r.sinter("x", "y") == {"2", "3"} and r.sunion("x", "y") == {"1", "2", "3", "4"} and r.sdiff("x", "y") == {"1"}
    assert r.sinterstore("d", "x", "y") == 2 and r.sunionstore("d", "x", "y") == 4 and r.sdiffstore("d", "x", "y") == 1
    assert r.sintercard(2, ["x", "y"], limit=1) == 1
    r.sadd("big", *range(3000))
    assert set(r.sscan_iter("big", count=100)) == {str(i) for i in range(3000)}


def lists():
    assert r.rpush("l", "a", "b", "c") == 3 and r.lpush("l", "z") == 4 and r.lrange("l", 0, -1) == ["z", "a", "b", "c"]
    assert r.lpushx("none", 1) == 0 and r.rpushx("l", "d") == 5 and r.llen("l") == 5
    assert r.lindex("l", -1) == "d" and r.lindex("l", 99) is None
    assert r.lset("l", 0, "y") is True and r.linsert("l", "BEFORE", "a", "x") == 6 and r.linsert("l", "AFTER", "?", "x") == -1
    assert r.lpos("l", "x") == 1 and r.lpos("l", "x", count=0) == [1] and r.lpos("l", "?") is None
    assert r.lrem("l", 0, "x") == 1 and r.ltrim("l", 1, 3) is True and r.lrange("l", 0, -1) == ["a", "b", "c"]
    assert r.lpop("l") == "a" and r.rpop("l", 5) == ["c", "b"] and r.lpop("l") is None and not r.exists("l")
    r.rpush("src", 1, 2, 3)
    assert r.rpoplpush("src", "dst") == "3" and r.lmove("src", "dst", "LEFT", "RIGHT") == "1"
    assert r.lmpop(2, "none", "dst", direction="LEFT", count=5) == ["dst", ["3", "1"]]
    r.rpush("big", *range(5000))
    assert r.lrange("big", 2500, 2502) == ["2500", "2501", "2502"] and r.lindex("big", 4999) == "4999"
    fails(redis.ResponseError, "index out of range", r.lset, "src", 9, "v")
    fails(redis.ResponseError, "WRONGTYPE", r.sadd, "src", 1)


def sorted_sets():
    assert r.zadd("z", {"a": 1, "b": 2.5, "c": 3}) == 3 and r.zadd("z", {"a": 5}, gt=True, ch=True) == 1
    assert r.zadd("z", {"a": -4}, incr=True) == 1.0 and r.zadd("z", {"a": 9}, nx=True, incr=True) is None
    assert r.zcard("z") == 3 and r.zcount("z", "(1", "+inf") == 2 and r.zscore("z", "b") == 2.5 and r.zscore("z", "?") is None
    assert r.zmscore("z", ["a", "?"]) == [1.0, None] and r.zincrby("z", 1, "c") == 4.0
    assert r.zrank("z", "b") == 1 and r.zrevrank("z", "b") == 1 and r.zrank("z", "?") is None
    assert r.zrange("z", 0, -1) == ["a", "b", "c"] and r.zrange("z", 0, 0, desc=True) == ["c"]
    assert [tuple(p) for p in r.zrange("z", 0, 1, withscores=True)] == [("a", 1.0), ("b", 2.5)]
    assert r.zrange("z", 2, "+inf", byscore=True, offset=1, num=1) == ["c"] and r.zrevrangebyscore("z", 3, 1) == ["b", "a"]
    assert r.zrangestore("top", "z", 1, 2) == 2 and r.zrem("z", "b", "?") == 1
    r.zadd("lex", {m: 0 for m in "abcd"})
    assert r.zrangebylex("lex", "[b", "(d") == ["b", "c"] and r.zlexcount("lex", "-", "+") == 4 and r.zremrangebylex("lex", "-", "[a") == 1
    assert r.zunion(["z", "top"]) == ["a", "b", "c"] and r.zinter(["z", "top"]) == ["c"] and r.zdiff(["z", "top"]) == ["a"]
    assert r.zunionstore("u", {"z": 1, "top": 2}) == 3 and r.zscore("u", "c") == 12.0
    assert r.zinterstore("i", ["z", "top"], aggregate="MAX") == 1 and r.zintercard(2, ["z", "top"]) == 1
    assert [tuple(p) for p in r.zpopmin("u", 1)] == [("a", 1.0)] and [tuple(p) for p in r.zpopmax("u", 1)] == [("c", 12.0)]
    r.zadd("big", {f"m{i}": i for i in range(3000)})
    assert dict(r.zscan_iter("big", count=100)) == {f"m{i}": float(i) for i in range(3000)}
    assert r.zremrangebyrank("big", 0, 9) == 10 and r.zremrangebyscore("big", "-inf", 19) == 10 and r.zrank("big", "m20") == 0
    assert r.zrandmember("z") in ("a", "c") and len(r.zrandmember("z", -5)) == 5
    r.zadd("ends", {"low": "-inf", "high": "+inf"})
    assert r.zscore("ends", "low") == float("-inf") and r.zscore("ends", "high") == float("inf")


def blocking():
    r.rpush("q", 1)
    assert tuple(r.blpop(["none", "q"], 1)) == ("q", "1") and r.blpop("q", 0.01) is None
    r.zadd("zq", {"a": 1.5, "b": 2})
    assert list(r.bzpopmin("zq", 1)) == ["zq", "a", 1.5] and list(r.bzpopmax(["none", "zq"], 1)) == ["zq", "b", 2.0]
    got = []
    waiting = threading.Thread(target=lambda: got.append(r.blmove("q", "done", 10, "LEFT", "RIGHT")))
    waiting.start()
    while r.info("clients")["blocked_clients"] != 1:
        pass
    r.rpush("q", "job")
    waiting.join()
    assert got == ["job"] and r.lrange("done", 0, -1) == ["job"]
    assert r.sort("done", alpha=True) == ["job"]


def keys():
    r.mset({f"key:{i}": i for i in range(1000)})
    assert len(r.keys("key:*")) == 1000 and set(r.scan_iter("key:*", count=50)) == set(r.keys("key:*"))
    assert list(r.scan_iter(_type="hash")) == []
    assert r.exists("key:1", "key:1", "none") == 2 and r.type("key:1") == "string"
    assert r.expire("key:1", 60) and r.expire("key:1", 30, gt=True) in (0, False) and r.expiretime("key:1") > time.time()
    assert r.expireat("key:1", 4000000000) and r.pexpiretime("key:1") == 4000000000000
    assert r.persist("key:1") and r.ttl("key:1") == -1 and r.ttl("none") == -2
    assert r.rename("key:1", "renamed") and r.renamenx("renamed", "key:2") in (0, False)
    assert r.copy("renamed", "copied") and r.move("copied", 1)
    assert r.touch("renamed") == 1 and r.unlink("renamed") == 1 and r.delete("key:2", "none") == 1
    assert r.object("encoding", "key:3") == "int" and r.memory_usage("key:3") > 0
    assert r.randomkey().startswith("key:")
    assert r.set("short", 1, px=30) is True
    while r.exists("short"):
        pass
    assert r.get("short") is None


def pipelines():
    with r.pipeline(transaction=False) as p:
        for i in range(5000):
            p.set(f"p:{i}", i)
        assert p.execute() == [True] * 5000
    with r.pipeline() as p:
        assert p.incr("tx").incr("tx").get("tx").execute() == [1, 2, "2"]
        p.set("str", "v")
        p.hget("str", "f")
        answers = p.execute(raise_on_error=False)
        assert answers[0] is True and "WRONGTYPE" in str(answers[1])
    assert r.transaction(lambda p: (p.multi(), p.incr("tx")), "tx") == [3]

    def disturb(p):
        p.watch("tx")
        r.incr("tx")
        p.multi()
        p.set("tx", "lost")
        p.execute()

    with r.pipeline() as p:
        fails(redis.WatchError, "", disturb, p)
    assert r.get("tx") == "4"


def server():
    r.set("here", 1)
    assert r.ping() is True and r.echo("hi") == "hi"
    info = r.info()
    assert info["redis_version"] == "7.4.0" and info["redis_mode"] == "standalone" and info["loading"] == 0
    assert info["db0"]["keys"] == r.dbsize() and info["connected_clients"] >= 1
    assert list(r.info("keyspace")) == ["db0"]
    assert r.config_get("hz") == {"hz": "10"} and r.config_set("hz", 10) is True and r.config_resetstat() is True
    assert abs(r.time()[0] - time.time()) < 60
    assert r.client_setname("me") and r.client_getname() == "me" and r.client_id() > 0
    me = r.client_info()
    assert me["name"] == "me" and me["lib-name"].startswith("redis-py")
    assert any(c["name"] == "me" for c in r.client_list())
    commands = r.command()
    assert commands["get"]["arity"] == 2 and "readonly" in commands["get"]["flags"]
    assert r.command_count() == len(commands) and r.command_getkeys("MSET", "a", 1, "b", 2) == ["a", "b"]
    assert "summary" in str(r.execute_command("COMMAND DOCS", "get"))
    assert r.swapdb(0, 1) and r.swapdb(0, 1) and r.flushdb(asynchronous=True) and r.flushall()
    fails(redis.ResponseError, "unknown command", r.execute_command, "NOSUCH", "x")
    fails(redis.ResponseError, "wrong number of arguments", r.execute_command, "GET")
    fails(redis.ResponseError, "not an integer", redis.Redis(host=HOST, port=PORT, db=0).execute_command, "SELECT", "x")


def threads():
    pool = redis.BlockingConnectionPool(host=HOST, port=PORT, protocol=PROTOCOL, max_connections=5, decode_responses=True)
    errors = []

    def work(n):
        try:
            c = redis.Redis(connection_pool=pool)
            for i in range(50):
                c.set(f"t:{n}", i)
                assert c.get(f"t:{n}") == str(i)
                c.incr("threads")
        except Exception as e:
            errors.append(e)

    all = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    [t.start() for t in all], [t.join() for t in all]
    assert not errors, errors
    assert r.get("threads") == "1000"
    pool.disconnect()


async def asynchronous():
    async with redis.asyncio.Redis(host=HOST, port=PORT, protocol=PROTOCOL, decode_responses=True) as c:
        await asyncio.gather(*(c.set(f"a:{i}", i) for i in range(100)))
        assert await c.mget([f"a:{i}" for i in range(100)]) == [str(i) for i in range(100)]
        async with c.pipeline() as p:
            assert await p.incr("an").incr("an").execute() == [1, 2]


for family in (strings, hashes, sets, lists, sorted_sets, blocking, keys, pipelines, server, threads):
    r.flushall()
    family()
asyncio.run(asynchronous())
print("ok")
