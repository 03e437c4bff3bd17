"""Invalidation by events: whoever changes data announces it, and subscribers drop what depended on it, related entries too.

More exact than lifetimes: the next read is fresh. Every writer must announce, or readers see old data.
"""

from connect import connect

cache = connect()
handlers = {}


def on(event):
    def register(handler):
        handlers.setdefault(event, []).append(handler)
        return handler

    return register


def announce(event, **details):
    return sum(handler(**details) for handler in handlers.get(event, []))


@on("article_updated")
def drop_article(id, category):
    return cache.delete(f"article:{id}", f"category:{category}", "feed:home")


@on("article_updated")
def drop_search(id, category):
    return cache.unlink("search:recent")


cache.mset({"article:1": "a", "article:2": "b", "category:go": "c", "feed:home": "d", "search:recent": "e"})
print("entries dropped:", announce("article_updated", id=1, category="go"))
print("left:", " ".join(sorted(cache.keys("*"))))
print("unknown event dropped:", announce("nothing_happened"))
