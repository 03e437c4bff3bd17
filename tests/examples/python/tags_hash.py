"""Tags with hashes: each tag is a hash from a role ("profile", "avatar") to the key that plays it.

Where a group has named parts: one part can be found, or replaced, without reading the others.
"""

from connect import connect

cache = connect()


def put(tag, role, key, value):
    cache.setex(key, 300, value)
    cache.hset(f"tags:{tag}", role, key)


def drop(tag):
    keys = cache.hvals(f"tags:{tag}")
    return cache.delete(f"tags:{tag}", *keys) - 1 if keys else 0


put("user:1", "profile", "user:1:profile", "Ada")
put("user:1", "avatar", "user:1:avatar", "image")
put("org:9", "members", "org:9:members", "1 2 3")
print("roles:", " ".join(sorted(cache.hkeys("tags:user:1"))))
print("the avatar is at:", cache.hget("tags:user:1", "avatar"))
print("dropped:", drop("user:1"))
print("dropped again:", drop("user:1"))
print("left:", " ".join(sorted(cache.keys("*"))))
