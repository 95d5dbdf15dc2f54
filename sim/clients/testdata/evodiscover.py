"""Lets Evolution find out what a server has, as its window for a new collection account does.

Arguments: address, user name, app password, path of the user's home of calendars. Prints a line for each thing that it found, and the user's addresses; then it makes
a calendar and a list as its windows do, and deletes them. The last line is "done".
"""
import sys

import gi

gi.require_version("EDataServer", "1.2")
from gi.repository import EDataServer, GLib

address, user, password, home = sys.argv[1:]
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

home = address.rstrip("/") + home
source.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND).set_uri(GLib.Uri.parse(home, GLib.UriFlags.NONE))
session = EDataServer.WebDAVSession.new(source)
session.set_credentials(secret)
for name, title, text, colour, supports in [("team", "Team & friends", "What we do", "#ff00aa", kinds.EVENTS), ("lists", "Lists", None, "#00ff00", kinds.TASKS | kinds.MEMOS)]:
    at = home + name + "/"
    session.mkcalendar_sync(at, title, text, colour, supports, None)
    made = session.list_sync(at, "0", EDataServer.WebDAVListFlags.ALL, None)[1][0]
    print("made:", made.display_name, "|", made.description, "|", made.color, "|", " ".join(n for k, n in names.items() if made.supports & k))
    print("may be written:", "write" in [p.name for p in session.get_current_user_privilege_set_sync(at, None)[1]])
    print("deleted:", session.delete_sync(at, None, None, None))
print("done")
