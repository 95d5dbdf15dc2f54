"""Drives Thunderbird without its windows: sets an account up as its dialogs do, and uses contacts, calendar and to-dos through the objects behind its windows.

Arguments: "set-up", directory of the profile, address, user name, app password, how many events, to-dos and contacts there should be, UID of an event to edit, UID of one
to delete, UID of a weekly event and the day of an instance to move (YYYYMMDD), UID of a contact to edit. Or: "again", directory of the profile, how many events there
should be, UID of an event and its title. Or: "refused", directory of the profile, names of calendars: the server answers that it cannot now. Or: "share", directory of the profile, address, user name, app password, the name of a calendar that is shared with the user, how
many events are in it, the title of an event to add. Prints what happened, one line for a step; the last is "done".
"""
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time

PREFERENCES = {
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    # What is not on this machine is not reached.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "toolkit.telemetry.enabled": False,
}


def say(what, value=True):
    print(f"{what}: {value}", flush=True)


class Thunderbird:
    """The program, and a connection of the protocol by which its makers test it (Marionette): messages are JSON with their length before them."""

    def __init__(self, profile):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        os.makedirs(profile, exist_ok=True)
        with open(os.path.join(profile, "user.js"), "w") as f:
            for name, value in {**PREFERENCES, "marionette.port": port}.items():
                f.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        self.program = subprocess.Popen(
            ["thunderbird", "--headless", "--marionette", "-remote-allow-system-access", "--no-remote", "--profile", profile],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))  # it ends when this ends
        for _ in range(300):
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
                break
            except OSError:
                time.sleep(0.2)
        self.left, self.count = b"", 0
        self.read()
        self.do("WebDriver:NewSession", capabilities={})
        self.do("Marionette:SetContext", value="chrome")
        self.do("WebDriver:SetTimeouts", script=90000)

    def read(self):
        while b":" not in self.left:
            self.left += self.more()
        length, _, self.left = self.left.partition(b":")
        while len(self.left) < int(length):
            self.left += self.more()
        message, self.left = self.left[: int(length)], self.left[int(length) :]
        return json.loads(message)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("Thunderbird has hung up")
        return data

    def do(self, name, **parameters):
        self.count += 1
        message = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        error, result = self.read()[2:]
        if error:
            raise RuntimeError(error["message"])
        return result

    def js(self, body, *values):
        """Runs statements in the program; they end with return, and a holds the values."""
        script = LIBRARY + "const a = arguments, done = a[a.length - 1]; (async () => {" + body + "})().then(r => done({ok: r}), e => done({error: String(e)}));"
        result = self.do("WebDriver:ExecuteAsyncScript", script=script, args=list(values), newSandbox=True, sandbox="system")["value"]
        if "error" in result:
            raise RuntimeError(result["error"])
        return result["ok"]

    def quit(self):
        self.do("Marionette:Quit", flags=["eForceQuit"])
        self.program.wait(60)


LIBRARY = """
const load = name => ChromeUtils.importESModule("resource:///modules/" + name);
const { cal } = load("calendar/calUtils.sys.mjs");
const named = name => cal.manager.getCalendars().find(c => c.type == "caldav" && c.name == name);
const items = c => c.getItemsAsArray(Ci.calICalendar.ITEM_FILTER_ALL_ITEMS, 0, null, null);
const item = async (c, uid) => (await items(c)).find(i => i.id == uid);
const book = () => load("MailServices.sys.mjs").MailServices.ab.directories.find(d => d.dirName == "Contacts");
const wait = async f => { for (let i = 0; i < 200; i++) { if (await f()) { return true; } await new Promise(r => setTimeout(r, 100)); } return false; };
"""


def sign_in(address, user, password):
    t.js("""const Login = Components.Constructor("@mozilla.org/login-manager/loginInfo;1", Ci.nsILoginInfo, "init");
        await Services.logins.addLoginAsync(new Login(a[0], null, "Holdfast", a[1], a[2], "", ""));""", address.rstrip("/"), user, password)
    for line in t.js("""const { CalDavProvider } = load("CalDavProvider.sys.mjs");
        const found = await CalDavProvider.detectCalendars(a[1], a[2], a[0], false);
        for (const c of found) { c.setProperty("cache.enabled", true); cal.manager.registerCalendar(c); }
        return found.map(c => c.name + (c.readOnly ? ", read-only" : "")).sort();""", address, user, password):
        say("calendar", line)


def set_up(address, user, password, events, todos, contacts, edit, delete, weekly, day, card):
    sign_in(address, user, password)
    say("events", t.js("await wait(async () => (await items(named('Calendar'))).length == a[0]); return (await items(named('Calendar'))).length;", int(events)))
    say("to-dos", t.js("await wait(async () => (await items(named('Tasks'))).length == a[0]); return (await items(named('Tasks'))).length;", int(todos)))

    say("event added", t.js("""const { CalEvent } = load("CalEvent.sys.mjs");
        const added = await named("Calendar").addItem(new CalEvent("BEGIN:VEVENT\\r\\nUID:made-in-thunderbird\\r\\nSUMMARY:Made in Thunderbird\\r\\nDTSTART:20260601T090000Z\\r\\nDTEND:20260601T100000Z\\r\\nEND:VEVENT\\r\\n"));
        return added.title;"""))
    say("event edited", t.js("""const c = named("Calendar"), old = await item(c, a[0]), i = old.clone();
        i.title = "Edited in Thunderbird"; return (await c.modifyItem(i, old)).title;""", edit))
    say("event deleted", t.js("""const c = named("Calendar"); await c.deleteItem(await item(c, a[0])); return !(await item(c, a[0]));""", delete))
    say("instance moved", t.js("""const c = named("Calendar"), series = await item(c, a[0]), at = series.startDate.clone();
        at.resetTo(a[1], a[2] - 1, a[3], series.startDate.hour, series.startDate.minute, 0, series.startDate.timezone);
        const one = series.recurrenceInfo.getOccurrenceFor(at).clone(), changed = series.clone();
        const later = d => { const x = d.clone(); x.hour += 5; return x; };
        const [start, end] = [later(one.startDate), later(one.endDate)];
        one.startDate = start; one.endDate = end; one.title = "Moved in Thunderbird";
        changed.recurrenceInfo.modifyException(one, true);
        await c.modifyItem(changed, series);
        return (await item(c, a[0])).recurrenceInfo.getOccurrenceFor(at).title;""", weekly, int(day[:4]), int(day[4:6]), int(day[6:])))
    say("to-do added", t.js("""const { CalTodo } = load("CalTodo.sys.mjs");
        return (await named("Tasks").addItem(new CalTodo("BEGIN:VTODO\\r\\nUID:todo-in-thunderbird\\r\\nSUMMARY:To do in Thunderbird\\r\\nDUE:20260601T170000Z\\r\\nEND:VTODO\\r\\n"))).title;"""))
    say("to-do done", t.js("""const c = named("Tasks"), old = await item(c, "todo-in-thunderbird"), i = old.clone();
        i.isCompleted = true; return (await c.modifyItem(i, old)).isCompleted;"""))

    say("address books", t.js("""const { CardDAVUtils } = load("CardDAVUtils.sys.mjs");
        const books = await CardDAVUtils.detectAddressBooks(a[1], a[2], a[0], false);
        for (const b of books) { await b.create(); }
        return books.map(b => b.name);""", address, user, password))
    say("contacts", t.js("await wait(() => book().childCardCount == a[0]); return book().childCardCount;", int(contacts)))
    # It sends contacts by itself, and notes their new ETags.
    say("contact edited", t.js("""const card = () => book().childCards.find(c => c.UID == a[0]), c = card(), old = c.getProperty("_etag", "");
        c.displayName = "Edited in Thunderbird"; book().modifyCard(c);
        return wait(() => card().getProperty("_etag", "") != old);""", card))
    say("contact added", t.js("""const c = Cc["@mozilla.org/addressbook/cardproperty;1"].createInstance(Ci.nsIAbCard);
        c.displayName = c.firstName = "Made in Thunderbird";
        const uid = book().addCard(c).UID;
        return wait(() => book().childCards.find(c => c.UID == uid).getProperty("_etag", "") != "");"""))
    say("in the end", t.js("return [(await items(named('Calendar'))).length, (await items(named('Tasks'))).length, book().childCardCount].join(' ');"))


def again(events, uid, title):
    say("events", t.js("""const c = named("Calendar"); c.refresh();
        await wait(async () => (await items(c)).length == a[0] && (await item(c, a[1]))?.title == a[2]);
        return (await items(c)).length;""", int(events), uid, title))
    say("title", t.js("return (await item(named('Calendar'), a[0])).title;", uid))


def refused(*names):
    counts = "const counts = async () => { const out = []; for (const n of a[0]) { out.push((await items(named(n))).length); } return out.concat(book() ? [book().childCardCount] : []).join(' '); };"
    say("before", t.js(counts + "return counts();", names))
    say("after", t.js(counts + """for (const n of a[0]) { named(n).refresh(); }
        if (book()) { await load("CardDAVDirectory.sys.mjs").CardDAVDirectory.forFile(book().fileName).syncWithServer().catch(() => {}); }
        await new Promise(r => setTimeout(r, 4000));
        return counts();""", names))
    say("disabled", t.js("return cal.manager.getCalendars().filter(c => c.type == 'caldav' && c.getProperty('disabled')).length;"))


def share(address, user, password, name, events, title):
    sign_in(address, user, password)
    say("events", t.js("await wait(async () => (await items(named(a[0]))).length == a[1]); return (await items(named(a[0]))).length;", name, int(events)))
    try:
        say("event added", t.js("""const { CalEvent } = load("CalEvent.sys.mjs");
            return (await named(a[0]).addItem(new CalEvent("BEGIN:VEVENT\\r\\nSUMMARY:" + a[1] + "\\r\\nDTSTART:20260601T090000Z\\r\\nDTEND:20260601T100000Z\\r\\nEND:VEVENT\\r\\n"))).title;""", name, title))
    except RuntimeError as e:
        say("event refused", bool(e))


t = Thunderbird(sys.argv[2])
{"set-up": set_up, "again": again, "refused": refused, "share": share}[sys.argv[1]](*sys.argv[3:])
t.quit()
say("done")
