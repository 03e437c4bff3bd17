#!/usr/bin/env python3
"""Records what a real redis-server writes: dumps.jsonl and redis.rdb.

Run it in this folder with redis-server 7.0 in the PATH. It needs nothing but
the standard library. dumps.jsonl has one value per line: its type, its items in
the order in which they are added (base64), scores behind their members, and the
payload that DUMP gives.
"""
import base64, json, os, random, socket, subprocess, tempfile, time


class Client:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.f = self.s.makefile("rb")

    def __call__(self, *args):
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        out = b"*%d\r\n" % len(args)
        for a in args:
            out += b"$%d\r\n%s\r\n" % (len(a), a)
        self.s.sendall(out)
        return self.reply()

    def reply(self):
        line = self.f.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise Exception(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.f.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest


def values(r):
    """The values whose payloads larder has to write to the byte."""
    text = b"The quick brown fox jumps over the lazy dog. "
    strings = [b"", b"a", b"hello", b"0", b"-1", b"127", b"128", b"-128", b"-129", b"32767", b"32768", b"-32768",
               b"-32769", b"2147483647", b"2147483648", b"-2147483648", b"-2147483649", b"9223372036854775807",
               b"-9223372036854775808", b"007", b"+1", b"-0", b"1.5", b"12345678901", b"a" * 20, b"a" * 21, b"a" * 63,
               b"a" * 64, b"a" * 300, b"a" * 20000, text, text * 3, text * 100, bytes(range(256)), bytes(range(256)) * 40]
    for n in (19, 20, 21, 22, 30, 31, 32, 33, 34, 40, 63, 64, 65, 66, 100, 264, 265, 500, 1023, 1024, 1025, 1100, 9000):
        for alphabet in (2, 4, 16, 64) if n < 9000 else (4,):
            strings.append(bytes(r.randrange(alphabet) + 48 for _ in range(n)))
            words = [bytes(r.randrange(26) + 97 for _ in range(r.randrange(1, 9))) for _ in range(alphabet * 3)]
            strings.append(b" ".join(r.choice(words) for _ in range(n))[:n])
    for s in strings:
        yield "string", [s]
    pieces = [b"", b"f", b"0", b"7", b"-7", b"127", b"128", b"4095", b"4096", b"-4096", b"-4097", b"32767", b"32768",
              b"8388607", b"8388608", b"-8388609", b"2147483648", b"-2147483649", b"9223372036854775807", b"x" * 63,
              b"x" * 64, b"01", text]
    for n in (1, 2, 3, 10, 60, 128):
        for _ in range(2):
            names = r.sample([b"f%d" % i for i in range(200)] + [b"%d" % i for i in range(200)] + pieces, n)
            yield "hash", [b for f in names for b in (f, r.choice(pieces))]
    for lo, hi in ((0, 100), (-100, 100), (-40000, 40000), (-3 << 31, 3 << 31), (-1 << 63, (1 << 63) - 1)):
        for n in (1, 2, 50):
            yield "set", [b"%d" % i for i in {r.randrange(lo, hi): None for _ in range(n)}]
    for n in (1, 2, 3, 10, 60, 128):
        yield "list", [r.choice(pieces) for _ in range(n)]
        yield "list", [b"%d" % r.randrange(-1 << r.randrange(1, 63), 1 << r.randrange(1, 63)) for _ in range(n)]
    yield "list", [text * 40]  # an element that fills most of a node
    yield "list", [b"x" * 130] * 60
    scores = [b"0", b"-0", b"1", b"-1", b"3", b"1.5", b"-1.5", b"0.1", b"1e100", b"-1e100", b"inf", b"-inf", b"1e-7", b"1e15",
              b"1e17", b"1e18", b"4611686018427387903", b"4611686018427387904", b"5e18", b"-4611686018427387904", b"-5e18", b"1e19",
              b"3.0000000000000004", b"123456789012", b"1000000000000000.5", b"4.9406564584124654e-324", b"1.7976931348623157e308",
              b"0.333333333333333314829616256247390992939472198486328125"]
    for s in scores:
        yield "zset", [b"m", s]
    for n in (2, 3, 10, 23):
        for _ in range(2):
            names = r.sample(pieces[:-1], min(n, len(pieces) - 1))
            yield "zset", [b for m in names for b in (m, r.choice(scores))]
    yield "zset", [b for i in range(128) for b in (b"m%d" % r.randrange(i * 1000, i * 1000 + 1000), b"%d" % r.randrange(-20, 20))]
    yield "zset", [b for i in range(128) for b in (b"%d" % i, repr(r.random()).encode())]


def adding(kind, items):
    """The command that makes the key k of the items."""
    if kind == "zset":
        items = [b for i in range(0, len(items), 2) for b in (items[i + 1], items[i])]
    return [{"string": "SET", "hash": "HSET", "set": "SADD", "list": "RPUSH", "zset": "ZADD"}[kind], "k", *items]


def dumps(c, r):
    with open("dumps.jsonl", "w") as f:
        for kind, items in values(r):
            c("DEL", "k")
            c(*adding(kind, items))
            b64 = lambda b: base64.b64encode(b).decode()
            f.write(json.dumps({"type": kind, "items": [b64(i) for i in items], "dump": b64(c("DUMP", "k"))}) + "\n")


def file(c, r):
    """A file with every type and form that this version writes."""
    c("FLUSHALL")
    for i, v in enumerate([b"", b"hello", b"12", b"-70000", b"12345678901", b"abc" * 200, bytes(range(256))]):
        c("SET", "string:%d" % i, v)
    c("SET", 123456, "integer name")
    c("SET", "n" * 100, "compressed name")
    c("SET", "expires", "later", "PXAT", 4102444800123)
    c("HSET", "hash:pack", "field", "value", "n", 1, "big", 1 << 40, "empty", "")
    c("HSET", "hash:table", *[b for i in range(600) for b in ("f%d" % i, "v%d" % i)])
    c("HSET", "hash:long", "f", b"v" * 65)
    c("SADD", "set:16", 1, -2, 300)
    c("SADD", "set:32", 1, -2, 70000)
    c("SADD", "set:64", 1, -2, 1 << 40)
    c("SADD", "set:text", "a", "b", "77")
    c("SADD", "set:table", *["m%d" % i for i in range(300)])
    c("RPUSH", "list", "a", "b", 3)
    c("RPUSH", "list:long", *["item %d" % i for i in range(2000)], b"x" * 9000)
    c("ZADD", "zset", 1, "a", 2.5, "b", "-inf", "c")
    c("ZADD", "zset:table", *[b for i in range(200) for b in (i / 3, "z%d" % i)])
    for i in range(150):
        c("XADD", "stream", "%d-1" % (i + 1), "field", "value%d" % i, "n", i)
    c("XGROUP", "CREATE", "stream", "group", 0)
    c("XREADGROUP", "GROUP", "group", "alice", "COUNT", 3, "STREAMS", "stream", ">")
    c("XDEL", "stream", "7-1")
    c("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    c("SELECT", 9)
    c("SET", "elsewhere", "yes")
    c("SAVE")


def main():
    r = random.Random(7)
    with tempfile.TemporaryDirectory() as d:
        sock = os.path.join(d, "s")
        p = subprocess.Popen(["redis-server", "--dir", d, "--port", "0", "--unixsocket", sock, "--save", ""],
                             stdout=subprocess.DEVNULL)
        try:
            while not os.path.exists(sock):
                time.sleep(0.05)
            c = Client(sock)
            dumps(c, r)
            file(c, r)
            with open(os.path.join(d, "dump.rdb"), "rb") as f, open("redis.rdb", "wb") as out:
                out.write(f.read())
        finally:
            p.terminate()
            p.wait()


main()
