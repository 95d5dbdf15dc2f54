"""Lets Evolution find out what a server has, as its window for a new collection account does.

Arguments: address, user name, app password. Prints a line for each thing that it found, and the user's addresses; the last is "done".
"""
import sys

import gi

gi.require_version("EDataServer", "1.2")
from gi.repository import EDataServer

address, user, password = sys.argv[1:]
source = EDataServer.Source.new(None, None)
source.get_extension(EDataServer.SOURCE_EXTENSION_AUTHENTICATION).set_user(user)
secret = EDataServer.NamedParameters()
secret.set("username", user)
secret.set("password", password)
kinds = EDataServer.WebDAVDiscoverSupports
names = {kinds.EVENTS: "events", kinds.TASKS: "tasks", kinds.MEMOS: "memos", kinds.CONTACTS: "contacts"}
result = EDataServer.webdav_discover_sources_sync(source, address, 0, secret, None)
found, addresses = result[-2:]
for s in sorted(found, key=lambda s: s.href):
    print(s.href.split("/", 3)[3], "|", s.display_name, "|", s.color, "|", " ".join(n for k, n in names.items() if s.supports & k))
print("addresses:", *addresses)
print("done")
