"""Follows recurrence rules with a library, for comparison.

Standard input holds a line for each rule: start, rule, the last time wanted and
the greatest number of instances wanted, with tabs between. Standard output holds
the instances of each, with spaces between, or "error" and why.
"""
import sys
import warnings

warnings.simplefilter("ignore")


def dateutil(start, rule, last, most):
    from datetime import datetime
    from itertools import islice

    from dateutil.rrule import rrulestr

    form = "%Y%m%dT%H%M%S"
    rr = rrulestr(rule, dtstart=datetime.strptime(start, form))
    last = datetime.strptime(last, form)
    if rr._until is None or rr._until > last:
        rr = rr.replace(until=last)
    return [t.strftime(form) for t in islice(rr, most)]


def libical(start, rule, last, most):
    import gi

    gi.require_version("ICalGLib", "3.0")
    from gi.repository import ICalGLib

    out = []
    r = ICalGLib.Recurrence.new_from_string(rule)
    it = ICalGLib.RecurIterator.new(r, ICalGLib.Time.new_from_string(start))
    if it is None:
        raise ValueError("refused")
    while len(out) < most:
        t = it.next()
        if t is None or t.is_null_time() or t.as_ical_string() > last:
            break
        out.append(t.as_ical_string())
    return out


follow = {"dateutil": dateutil, "libical": libical}[sys.argv[1]]
for line in sys.stdin:
    start, rule, last, most = line.rstrip("\n").split("\t")
    try:
        print(" ".join(follow(start, rule, last, int(most))))
    except Exception as e:  # whatever the library says, the test decides about it
        print("error", str(e).replace("\n", " "))
