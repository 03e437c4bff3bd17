"""Tags with sets: each tag is a set of the keys that carry it; dropping a tag drops them all.

For groups that no key pattern describes: everything by one author, everything that shows one product.
"""

from connect import connect

cache = connect()


def put(key, value, *tags):
    with cache.pipeline() as p:
        p.set(key, value, ex=3600)
        for tag in tags:
            p.sadd(f"tag:{tag}", key)
            p.expire(f"tag:{tag}", 7200)  # a tag outlives what it tags
        p.execute()


def drop(tag):
    keys = cache.smembers(f"tag:{tag}")
    if keys:
        cache.delete(f"tag:{tag}", *keys)
    return len(keys)


put("article:1", "one", "author:ada", "topic:go")
put("article:2", "two", "author:ada")
put("article:3", "three", "author:bob", "topic:go")
print("by ada and about go:", " ".join(cache.sinter("tag:author:ada", "tag:topic:go")))
print("dropped with author:ada:", drop("author:ada"))
print("dropped again:", drop("author:ada"))
print("left:", " ".join(sorted(cache.keys("article:*"))))
