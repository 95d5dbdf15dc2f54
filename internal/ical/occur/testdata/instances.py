# Reads objects and ranges as JSON, and answers for each the instances that the Python module recurring_ical_events finds.
import datetime
import json
import sys

import icalendar
import recurring_ical_events

UTC = datetime.timezone.utc


def instant(t):
    """Seconds since 1970; dates and floating times are read in UTC."""
    if not isinstance(t, datetime.datetime):
        t = datetime.datetime(t.year, t.month, t.day)
    if t.tzinfo is None:
        t = t.replace(tzinfo=UTC)
    return int(t.timestamp())


def instances(text, ranges):
    try:
        calendar = icalendar.Calendar.from_ical(text)
        query = recurring_ical_events.of(calendar)
        answer = []
        for start, end in ranges:
            found = query.between(datetime.datetime.fromtimestamp(start, UTC), datetime.datetime.fromtimestamp(end, UTC))
            answer.append(sorted([instant(e["DTSTART"].dt), instant(e["DTEND"].dt)] for e in found))
        return {"instances": answer}
    except Exception as e:
        return {"error": type(e).__name__ + ": " + str(e)[:200]}


for line in sys.stdin:
    ask = json.loads(line)
    print(json.dumps(instances(ask["text"], ask["ranges"])), flush=True)
