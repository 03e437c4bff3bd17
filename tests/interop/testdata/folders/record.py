#!/usr/bin/env python3
"""Records the data folders that servers of other versions leave.

usage: record.py NAME CONF COMMAND...

NAME becomes a folder here, COMMAND starts the server, CONF is the file of parameters that the
server's version comes with. The folder gets dump.rdb, the log with a base in RDB form (log) and with
one of commands (commands), foreign.rdb with a key of each type that larder lacks, and redis.conf as
CONFIG REWRITE leaves CONF. contents.jsonl, for all servers alike, says what they hold: database,
key, type, time of expiry in unix milliseconds (-1: none), value. Bytes are characters of the same
number. It needs nothing but the standard library.
"""
import json, os, shutil, socket, subprocess, sys, tempfile, time

FAR = 4102444800


class Client:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.f = self.s.makefile("rb")

    def __call__(self, *args):
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        self.s.sendall(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args))
        r = self.reply()
        if isinstance(r, Exception):
            raise r
        return r

    def reply(self):
        line = self.f.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            return Exception(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.f.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest


def start(command, folder, *params):
    sock = os.path.join(folder, "s")
    p = subprocess.Popen([*command, *params, "--port", "0", "--unixsocket", sock, "--dir", folder, "--save", "",
                          "--logfile", os.path.join(folder, "server.log"), "--pidfile", os.path.join(folder, "pid"), "--daemonize", "no"])
    for _ in range(500):
        try:
            c = Client(sock)
            if c("PING") == b"PONG":
                return p, c
        except Exception:
            time.sleep(0.02)
    p.kill()
    raise SystemExit("the server does not start: " + open(os.path.join(folder, "server.log")).read())


def stop(p):
    p.kill()
    p.wait()


# Limits at which values are not packed any more, so that few elements suffice.
SMALL = ["--hash-max-ziplist-entries", "40", "--zset-max-ziplist-entries", "40", "--set-max-intset-entries", "40",
         "--list-max-ziplist-size", "50", "--appendonly", "yes"]


def pairs(n):
    return [b for i in range(n) for b in (f"f{i}", f"v{i}")]


def fill(c):
    """Every encoding of the types that larder has, in two databases."""
    for db in (0, 3):
        c("SELECT", db)
        for k, v in (("s:int", 12345), ("s:negative", -7), ("s:int64", 2**62), ("s:empty", ""), (b"s:\x00\xff\r\n", b"\x00bin\xff"), ("", "empty key")):
            c("SET", k, v)
        c("SET", "s:long", "abc" * 400)
        c("EXPIREAT", "s:long", FAR)
        c("SET", "s:short", "embedded")
        c("PEXPIREAT", "s:short", FAR * 1000 + 123)
        c("APPEND", "s:raw", "grown")
        c("APPEND", "s:raw", " twice")
        c("SETRANGE", "s:holes", 300, "x")
        c("HSET", "h:small", *pairs(5))
        c("HSET", "h:big", *pairs(60))
        c("HSET", "h:long", "f", "y" * 300, b"\xff", "", "", "empty field")
        c("EXPIREAT", "h:small", FAR)
        c("SADD", "set:16", *range(-5, 20))
        c("SADD", "set:32", 70000, -70000)
        c("SADD", "set:64", 2**40, -2**40, 3)
        c("SADD", "set:ints", *range(60))
        c("SADD", "set:small", "a", "b", "7", "")
        c("SADD", "set:big", *[f"member{i}" for i in range(150)])
        c("RPUSH", "l:small", "a", "b", 3, -4, "", 2**40, -70000, 300)
        c("RPUSH", "l:big", *[f"element {i}" for i in range(200)])
        c("RPUSH", "l:long", "z" * 8300, "small")
        c("LSET", "l:big", 20, "x" * 300)
        c("ZADD", "z:small", 1, "a", 2.5, "b", "-inf", "c", "inf", "d", 0.1, "e", 1, "A", -3, "")
        c("ZADD", "z:big", *[b for i in range(60) for b in (i / 7, f"m{i}")], "-inf", "low", "inf", "high", 1e100, "far")
        c("PFADD", "hll", *range(50))
        c("SETBIT", "bits", 2001, 1)
        c("GEOADD", "geo", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")


def change(c):
    """What stands in the log behind its base: commands that larder has, some rewritten on the way."""
    c("SELECT", 3)
    c("SET", "after", "yes", "EX", 10)
    c("PERSIST", "after")
    c("DEL", "bits")
    c("SELECT", 0)
    c("MULTI")
    c("INCRBY", "s:int", 5)
    c("HINCRBY", "h:big", "n", 3)
    c("EXEC")
    c("INCRBYFLOAT", "float", "10.5")
    c("HINCRBYFLOAT", "h:big", "float", "0.25")
    c("SETEX", "gone", 100, "x")
    c("PEXPIREAT", "gone", 1)
    c("LPUSH", "l:small", "first")
    c("LSET", "l:big", 20, "short again")
    c("RPOPLPUSH", "l:big", "l:other")
    c("LREM", "l:small", 1, "b")
    c("SADD", "set:16", "not a number")
    c("SREM", "set:big", "member7")
    c("SADD", "lone", "x")
    c("SPOP", "lone")
    c("ZINCRBY", "z:big", 3.5, "m3")
    c("ZREMRANGEBYRANK", "z:small", 0, 0)
    c("SINTERSTORE", "set:stored", "set:16", "set:ints")
    c("ZUNIONSTORE", "z:stored", 2, "z:small", "z:big", "AGGREGATE", "MAX")
    c("RENAME", "s:raw", "s:renamed")
    c("GETSET", "s:empty", "full")


def value(c, k, t):
    text = lambda b: b.decode("latin-1")
    if t == "string":
        return text(c("GET", k))
    if t == "list":
        return [text(e) for e in c("LRANGE", k, 0, -1)]
    if t == "set":
        return sorted(text(e) for e in c("SMEMBERS", k))
    items = [text(e) for e in (c("HGETALL", k) if t == "hash" else c("ZRANGE", k, 0, -1, "WITHSCORES"))]
    all = [list(p) for p in zip(items[::2], items[1::2])]
    return sorted(all) if t == "hash" else [[m, repr(float(s))] for m, s in all]


def contents(c):
    """Lines of what the server holds. It asks for times of expiry in a way that old servers know."""
    lines = []
    for db in range(16):
        c("SELECT", db)
        for k in sorted(c("KEYS", "*")):
            t = c("TYPE", k).decode()
            ttl = c("PTTL", k)
            at = -1
            if ttl >= 0:
                at = {b"s:long": FAR * 1000, b"s:short": FAR * 1000 + 123, b"h:small": FAR * 1000}[k]
                assert abs(ttl / 1000 + time.time() - at / 1000) < 60
            lines.append(json.dumps([db, k.decode("latin-1"), t, at, value(c, k, t)]))
    return lines


def wait(c):
    while True:
        time.sleep(0.05)
        info = c("INFO", "persistence")
        if b"aof_rewrite_in_progress:1" not in info and b"aof_rewrite_scheduled:1" not in info:
            assert b"aof_last_bgrewrite_status:ok" in info
            return


def take_log(folder, to):
    os.makedirs(to)
    for name in ("appendonlydir", "appendonly.aof"):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(to, name))
        elif os.path.exists(path):
            shutil.copy(path, to)


def record(name, conf, command):
    here = os.path.dirname(os.path.abspath(__file__))
    out = os.path.join(here, name)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    held = None
    for log, preamble in (("log", "yes"), ("commands", "no")):
        with tempfile.TemporaryDirectory() as folder:
            p, c = start(command, folder, *SMALL, "--aof-use-rdb-preamble", preamble)
            try:
                fill(c)
                c("BGREWRITEAOF")
                wait(c)
                change(c)
                now = contents(c)
                assert held in (None, now)
                held = now
                if log == "log":
                    c("SAVE")
                    shutil.copy(os.path.join(folder, "dump.rdb"), out)
                time.sleep(0.2)
            finally:
                stop(p)
            take_log(folder, os.path.join(out, log))
    with tempfile.TemporaryDirectory() as folder:
        p, c = start(command, folder)
        c("SET", "known", "v")
        for foreign in (["XADD", "stream", "1-1", "f", "v"], ["HSET", "timed", "f", "v", "g", "w"], ["HEXPIREAT", "timed", FAR, "FIELDS", 1, "f"],
                        ["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]):
            try:
                c(*foreign)
            except Exception as e:
                print(name, "has no", foreign[0], e)
        c("SAVE")
        shutil.copy(os.path.join(folder, "dump.rdb"), os.path.join(out, "foreign.rdb"))
        stop(p)
    if conf != "-":
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "redis.conf")
            text = open(conf, encoding="latin-1").read()
            text = "\n".join(f"dir {folder}" if l.startswith("dir ") else l for l in text.splitlines()) + "\n"
            open(path, "w", encoding="latin-1").write(text)
            p, c = start(command, folder, path)
            c("CONFIG", "REWRITE")
            stop(p)
            lines = open(path, encoding="latin-1").read().replace(folder, "/var/lib/data").splitlines()
            lines = [l for l in lines if l.strip() and (not l.startswith("#") or "CONFIG REWRITE" in l)]
            open(os.path.join(out, "redis.conf"), "w", encoding="latin-1").write("\n".join(lines) + "\n")
    path = os.path.join(here, "contents.jsonl")
    text = "\n".join(held) + "\n"
    if os.path.exists(path):
        assert open(path).read() == text, "another server held something else"
    open(path, "w").write(text)


record(sys.argv[1], sys.argv[2], sys.argv[3:])
