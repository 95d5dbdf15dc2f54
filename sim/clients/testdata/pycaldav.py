"""Drives python3-caldav, the library behind many programs, through what those programs do with a calendar server.

Arguments: address, user name, app password. Prints what the library says, one line for a step; the last is "done". Times are UTC unless a zone is named.
"""
import sys
from datetime import datetime, timezone

import caldav
from caldav.elements import cdav, dav, ical
from caldav.lib import error

address, user, password = sys.argv[1:]
UTC = timezone.utc


def at(month, day, hour=0, minute=0):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def say(what, value):
    print(f"{what}: {value}", flush=True)


def titles(objects):
    found = []
    for o in objects:
        for c in o.icalendar_instance.walk():
            if c.name in ("VEVENT", "VTODO", "VJOURNAL"):
                found.append(str(c["SUMMARY"]))
    return sorted(found)


def starts(objects):
    """The start of each instance, as the server wrote it."""
    found = []
    for o in objects:
        for line in o.data.splitlines():
            if line.startswith("DTSTART"):
                found.append(line)
    return sorted(found)


def zone(text):
    """A zone's definition that the server must heed: its name is known to nobody, its summer is two hours long."""
    return text.replace(
        "ZONE",
        "BEGIN:VTIMEZONE\nTZID:Somewhere\nBEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\n"
        "BEGIN:DAYLIGHT\nDTSTART:19700329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0300\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\nEND:VTIMEZONE",
    )


def event(uid, title, *lines):
    return "\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Test//EN", *[l for l in lines if l == "ZONE"], "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{title}",
         *[l for l in lines if l != "ZONE"], "END:VEVENT", "END:VCALENDAR", ""]
    )


client = caldav.DAVClient(url=address, username=user, password=password)
say("calendar-access", bool(client.check_cdav_support()))
say("scheduling", bool(client.check_scheduling_support()))
me = client.principal()
say("addresses", "mailto:" + user in me.calendar_user_address_set())
say("name of the principal", bool(me.get_display_name()))
say("calendars", sorted(str(c.name) for c in me.calendars()))
say("inbox", "inbox" in str(me.schedule_inbox().url))
say("outbox", "outbox" in str(me.schedule_outbox().url))

team = me.make_calendar(name="Team & friends", cal_id="team", supported_calendar_component_set=["VEVENT", "VTODO", "VJOURNAL"])
say("made", team.get_display_name())
say("components", sorted(team.get_supported_components()))
try:
    me.make_calendar(name="again", cal_id="team")
    say("made twice", True)
except error.DAVError:
    say("made twice", False)
only = me.make_calendar(name="Only to-dos", cal_id="only", supported_calendar_component_set=["VTODO"])
say("only", only.get_supported_components())
try:
    only.save_event(event("wrong-place", "Wrong place", "DTSTART:20260601T090000Z"))
    say("an event among to-dos", "taken")
except error.DAVError:
    say("an event among to-dos", "refused")

# Properties.
team.set_properties([dav.DisplayName("Team"), ical.CalendarColor("#ff00aaff"), cdav.CalendarDescription("What we do")])
props = team.get_properties([dav.DisplayName(), ical.CalendarColor(), cdav.CalendarDescription()])
say("properties", [props[x.tag] for x in (dav.DisplayName, ical.CalendarColor, cdav.CalendarDescription)])

# Events: single, weekly over the change of the clocks with one instance moved and one taken out, all day, in a zone of its own, floating.
team.save_event(event("single", "Single", "DTSTART:20260310T090000Z", "DTEND:20260310T100000Z", "LOCATION:Žižkov", "CATEGORIES:WORK,Travel"))
weekly = event("weekly", "Weekly", "DTSTART;TZID=Europe/Berlin:20260323T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=6", "EXDATE;TZID=Europe/Berlin:20260406T090000")
weekly = weekly.replace(
    "END:VCALENDAR", "BEGIN:VEVENT\nUID:weekly\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID;TZID=Europe/Berlin:20260413T090000\nSUMMARY:Moved\nDTSTART;TZID=Europe/Berlin:20260414T150000\nDURATION:PT1H\nEND:VEVENT\nEND:VCALENDAR"
)
team.save_event(weekly)
team.save_event(event("whole", "Whole day", "DTSTART;VALUE=DATE:20260501", "DTEND;VALUE=DATE:20260502", "TRANSP:TRANSPARENT"))
team.save_event(zone(event("zone", "Own zone", "ZONE", "DTSTART;TZID=Somewhere:20260701T120000", "DTEND;TZID=Somewhere:20260701T130000")))
team.save_event(event("floating", "Floating", "DTSTART:20260801T120000", "DTEND:20260801T130000"))
for name, uid, due, more in [
    ("Open", "todo-open", "20260310T170000Z", ""),
    ("Done", "todo-done", "20260311T170000Z", "STATUS:COMPLETED\nCOMPLETED:20260309T100000Z\n"),
    ("Given up", "todo-cancelled", "20260312T170000Z", "STATUS:CANCELLED\n"),
    ("Begun", "todo-begun", "20260313T170000Z", "STATUS:IN-PROCESS\n"),
    ("Waiting", "todo-waiting", "20260314T170000Z", "STATUS:NEEDS-ACTION\n"),
]:
    team.save_todo(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//Test//EN\nBEGIN:VTODO\nUID:{uid}\nDTSTAMP:20260101T000000Z\nSUMMARY:{name}\nDUE:{due}\n{more}END:VTODO\nEND:VCALENDAR\n")
team.save_journal("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//Test//EN\nBEGIN:VJOURNAL\nUID:journal\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20260310\nSUMMARY:Dear diary\nEND:VJOURNAL\nEND:VCALENDAR\n")
say("events", titles(team.events()))
say("to-dos", titles(team.todos()))
say("to-dos with those that are done", titles(team.todos(include_completed=True)))
say("journals", titles(team.journals()))
say("by UID", titles([team.event_by_uid("single"), team.todo_by_uid("todo-done")]))

# Search.
say("march", titles(team.search(start=at(3, 1), end=at(3, 31, 23), event=True)))
say("winter hour", titles(team.search(start=at(3, 23, 8), end=at(3, 23, 9), event=True, expand=True)))
say("summer hour", titles(team.search(start=at(3, 30, 7), end=at(3, 30, 8), event=True, expand=True)))
say("an hour late", titles(team.search(start=at(3, 30, 8), end=at(3, 30, 9), event=True)))
say("taken out", titles(team.search(start=at(4, 6, 0), end=at(4, 6, 23), event=True)))
say("moved from", titles(team.search(start=at(4, 13, 0), end=at(4, 13, 23), event=True)))
say("moved to", titles(team.search(start=at(4, 14, 13), end=at(4, 14, 14), event=True, expand=True)))
say("the day before the whole day", titles(team.search(start=at(4, 30, 0), end=at(5, 1, 0), event=True)))
say("the whole day", titles(team.search(start=at(5, 1, 23), end=at(5, 2, 0), event=True)))
say("own zone", titles(team.search(start=at(7, 1, 9), end=at(7, 1, 10), event=True)))
say("own zone, wrong hour", titles(team.search(start=at(7, 1, 10), end=at(7, 1, 11), event=True)))
say("floating", titles(team.search(start=at(8, 1, 12), end=at(8, 1, 13), event=True)))
say("expanded", starts(team.search(start=at(3, 1), end=at(5, 1), event=True, expand=True)))
say("by text", titles(team.search(event=True, location="ižko")))
say("by text of another case", titles(team.search(event=True, location="ŽIŽKOV")))  # it asks for i;octet
say("by part of a text", titles(team.search(event=True, summary="ngl")))
say("by category", titles(team.search(event=True, category="Travel")))
say("by nothing", titles(team.search(event=True, summary="nothing of the sort")))
say("to-dos by day", titles(team.search(start=at(3, 11), end=at(3, 12), todo=True, include_completed=True)))
say("journals by day", titles(team.search(start=at(3, 10), end=at(3, 11), comp_class=caldav.Journal)))
say("date_search", titles(team.date_search(at(3, 10), at(3, 11))))
say("open end", titles(team.date_search(at(6, 1))))
say("multiget", titles(team.calendar_multiget([team.event_by_uid("single").url, team.event_by_uid("floating").url])))

# Free and busy: the whole day is transparent.
busy = team.freebusy_request(at(3, 1), at(9, 1)).vobject_instance.vfreebusy
say("busy", sorted(f"{p[0]:%m%d%H}+{(p[1] - p[0] if hasattr(p[1], 'year') else p[1]).total_seconds() / 3600:.0f}" for f in busy.freebusy_list for p in f.value))

# Sync.
first = team.objects_by_sync_token()
say("objects", len(list(first)))
single = team.event_by_uid("single")
single.vobject_instance.vevent.summary.value = "Single, edited"
single.save()
team.todo_by_uid("todo-waiting").complete()
team.journal_by_uid("journal").delete()
second = team.objects_by_sync_token(sync_token=first.sync_token)
say("changed", sorted(str(o.url).rsplit("/", 1)[1] for o in second))
say("unchanged", len(list(team.objects_by_sync_token(sync_token=second.sync_token))))
updated, deleted = first.sync()
say("collection sync", [len(list(updated)), len(list(deleted))])
say("edited", titles([team.event_by_uid("single")]))
say("to-dos left", titles(team.todos()))

# One instance of a recurring event is edited as programs do: the object is read, changed, and stored as a whole.
whole = team.event_by_uid("weekly")
whole.data = whole.data.replace("SUMMARY:Moved", "SUMMARY:Moved again")
whole.save()
say("moved again", titles(team.search(start=at(4, 14, 13), end=at(4, 14, 14), event=True, expand=True)))

try:
    team.save_event(event("broken", "Broken", "DTSTART:yesterday"))
    say("a broken event", "taken")
except error.DAVError:
    say("a broken event", "refused")
try:
    team.event_by_uid("broken")
    say("a broken event is", "there")
except error.NotFoundError:
    say("a broken event is", "not there")

only.delete()
say("calendars", sorted(str(c.name) for c in me.calendars()))
say("done", True)
