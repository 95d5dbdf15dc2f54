"""Drives Evolution's data server without its windows: the same processes that Evolution and the calendar and to-do programs of GNOME use.

Arguments: user name, app password, how many events, to-dos and notes there should be, UID of an event to edit, UID of one to delete, UID of a weekly event in Berlin
and the start of one of its instances. Prints what happened, one line for a step; the last is "done". It knows the sources holdfast-events, -tasks and -memos.
"""
import os
import sys
import threading
import time

import gi

gi.require_version("ECal", "2.0")
gi.require_version("EDataServer", "1.2")
gi.require_version("ICalGLib", "3.0")
from gi.repository import ECal, EDataServer, GLib, ICalGLib

user, password, events, todos, notes, edit, delete, weekly, instance = sys.argv[1:]
loop = GLib.MainLoop()
NONE = ECal.OperationFlags.NONE


def say(*words):
    print(*words, flush=True)


def sign_in(source, reason, *_):
    secret = EDataServer.NamedParameters()
    secret.set("username", user)
    secret.set("password", password)
    threading.Thread(target=lambda: say("signed in:", source.invoke_authenticate_sync(secret, None))).start()


def objects(client):
    """The UIDs of what is there: an event with instances that are elsewhere has several components."""
    return {c.get_uid() for c in client.get_object_list_sync("#t", None)[1]}


def connect(name, kind, wanted):
    client = ECal.Client.connect_sync(registry.ref_source("holdfast-" + name), kind, 30, None)
    for _ in range(120):
        if len(objects(client)) == int(wanted):
            break
        client.refresh_sync(None)
        time.sleep(0.25)
    say(name + ":", len(objects(client)))
    say(name, "writable:", not client.is_readonly())
    return client


def make(kind, *lines):
    return ICalGLib.Component.new_from_string("\r\n".join(["BEGIN:" + kind, *lines, "END:" + kind, ""]))


def work():
    calendar = connect("events", ECal.ClientSourceType.EVENTS, events)
    say("event added:", calendar.create_object_sync(make("VEVENT", "SUMMARY:Made in Evolution", "DTSTART:20260601T090000Z", "DTEND:20260601T100000Z"), NONE, None)[0])
    event = calendar.get_object_sync(edit, None, None)[1]
    event.set_summary("Edited in Evolution")
    say("event edited:", calendar.modify_object_sync(event, ECal.ObjModType.ALL, NONE, None))
    say("event deleted:", calendar.remove_object_sync(delete, None, ECal.ObjModType.ALL, NONE, None))

    # One instance of a series becomes another.
    series = calendar.get_object_sync(weekly, None, None)[1]
    one = series.clone()
    for kind in (ICalGLib.PropertyKind.RRULE_PROPERTY, ICalGLib.PropertyKind.EXDATE_PROPERTY, ICalGLib.PropertyKind.RDATE_PROPERTY):
        while (p := one.get_first_property(kind)) is not None:
            one.remove_property(p)
    start = ICalGLib.Time.new_from_string(instance)
    start.set_timezone(ICalGLib.Timezone.get_builtin_timezone("Europe/Berlin"))
    one.add_property(ICalGLib.Property.new_from_string("RECURRENCE-ID;TZID=Europe/Berlin:" + instance))
    later = start.clone()
    later.adjust(0, 5, 0, 0)
    one.set_dtstart(later)
    later.adjust(0, 1, 0, 0)
    one.set_dtend(later)
    one.set_summary("Moved in Evolution")
    say("instance moved:", calendar.modify_object_sync(one, ECal.ObjModType.THIS, NONE, None))

    tasks = connect("tasks", ECal.ClientSourceType.TASKS, todos)
    say("task added:", tasks.create_object_sync(make("VTODO", "SUMMARY:To do in Evolution", "DUE;VALUE=DATE:20260601", "STATUS:NEEDS-ACTION"), NONE, None)[0])
    added = [c for c in tasks.get_object_list_sync('(contains? "summary" "To do in Evolution")', None)[1]][0]
    added.set_status(ICalGLib.PropertyStatus.COMPLETED)
    say("task done:", tasks.modify_object_sync(added, ECal.ObjModType.ALL, NONE, None))

    memos = connect("memos", ECal.ClientSourceType.MEMOS, notes)
    say("memo added:", memos.create_object_sync(make("VJOURNAL", "SUMMARY:Noted in Evolution", "DESCRIPTION:Žluť", "DTSTART;VALUE=DATE:20260601"), NONE, None)[0])
    for client in (calendar, tasks, memos):
        client.refresh_sync(None)
    say("in the end:", len(objects(calendar)), len(objects(tasks)), len(objects(memos)))
    say("done")


def run():
    try:
        work()
    except Exception as e:
        say("error:", repr(e))
    loop.quit()


registry = EDataServer.SourceRegistry.new_sync(None)  # has to live: a source without its registry gets no signals
for name in ("events", "tasks", "memos"):
    registry.ref_source("holdfast-" + name).connect("credentials-required", sign_in)
threading.Thread(target=run, daemon=True).start()
GLib.timeout_add_seconds(120, loop.quit)
loop.run()
os._exit(0)  # threads of the library would keep it
