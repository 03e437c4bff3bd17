"""Two levels and messages: whoever changes an entry says so on a channel, and every process drops its own copy at once.

Unlike a lifetime of the copies this leaves no time in which a process shows an old value, as long as it is connected.
"""

from connect import connect


class Process:
    def __init__(self):
        self.local, self.shared = {}, connect()
        self.changes = self.shared.pubsub(ignore_subscribe_messages=True)
        self.changes.subscribe("changed")
        self.changes.get_message(timeout=10)  # the subscription stands

    def get(self, key):
        if key not in self.local:
            self.local[key] = self.shared.get(key)
        return self.local[key]

    def set(self, key, value):
        self.shared.set(key, value)
        return self.shared.publish("changed", key)

    def heed(self):
        key = self.changes.get_message(timeout=10)["data"]
        self.local.pop(key, None)
        return key


first, second = Process(), Process()
print("told of page:1:", first.set("page:1", "hello"))
first.heed(), second.heed()
print("first:", first.get("page:1"))
print("second:", second.get("page:1"))
print("told of page:1:", first.set("page:1", "new"))
print("second drops:", second.heed())
print("second:", second.get("page:1"))
