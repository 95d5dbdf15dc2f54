"""Drives Evolution's data server without its windows: the same processes that Evolution and the contacts program of GNOME use.

Arguments: user name, app password, how many contacts there should be, UID of a contact to edit, UID of one to delete.
Prints what happened, one line for a step; the last is "done".
"""
import os
import sys
import threading
import time

import gi

gi.require_version("EBook", "1.2")
gi.require_version("EBookContacts", "1.2")
gi.require_version("EDataServer", "1.2")
from gi.repository import EBook, EBookContacts, EDataServer, GLib

user, password, wanted, edit, delete = sys.argv[1:]
loop = GLib.MainLoop()


def say(*words):
    print(*words, flush=True)


def sign_in(source, reason, *_):
    secret = EDataServer.NamedParameters()
    secret.set("username", user)
    secret.set("password", password)
    threading.Thread(target=lambda: say("signed in:", source.invoke_authenticate_sync(secret, None))).start()


def uids(client):
    return client.get_contacts_uids_sync("", None)[1]


def work(source):
    client = EBook.BookClient.connect_sync(source, 30, None)
    for _ in range(60):
        if len(uids(client)) == int(wanted):
            break
        client.refresh_sync(None)
        time.sleep(0.5)
    say("contacts:", len(uids(client)))
    say("writable:", not client.is_readonly())

    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Made in Evolution\r\nN:Evolution;Made;;;\r\nEND:VCARD\r\n"
    say("added:", client.add_contact_sync(EBookContacts.Contact.new_from_vcard(card), 0, None)[0])
    contact = client.get_contact_sync(edit, None)[1]
    contact.props.nickname = "Edited in Evolution"
    say("edited:", client.modify_contact_sync(contact, 0, None))
    say("deleted:", client.remove_contact_by_uid_sync(delete, 0, None))
    client.refresh_sync(None)
    say("contacts:", len(uids(client)))
    say("done")


def run(source):
    try:
        work(source)
    except Exception as e:
        say("error:", e)
    loop.quit()


registry = EDataServer.SourceRegistry.new_sync(None)  # has to live: a source without its registry gets no signals
source = registry.ref_source("holdfast")
source.connect("credentials-required", sign_in)
threading.Thread(target=run, args=(source,), daemon=True).start()
GLib.timeout_add_seconds(120, loop.quit)
loop.run()
os._exit(0)  # threads of the library would keep it
