package transcripts_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"holdfast/internal/dav/transcripts"
)

// fault spoils what a server answers, as a bug of ours might.
type fault struct {
	name   string
	method string // of the requests whose answers are spoilt; "" for all
	where  *regexp.Regexp
	with   string
	header string // spoil this header instead of the body
	harms  string // the clients that cannot do without, by the beginnings of their names; "*" for all but those of files
}

// discovering are the clients whose transcripts begin with the search for an address book, planning those that search for calendars.
const (
	discovering = "ios macos davx5 thunderbird evolution vdirsyncer nextcloud"
	filing      = "files-davx5 files-photosync files-foldersync files-rclone files-nextcloud"
	planning    = "cal-ios cal-macos cal-davx5 cal-jtx cal-thunderbird cal-evolution cal-nextcloud cal-shared"
)

var faults = []fault{
	{name: "no home-set", where: regexp.MustCompile(`CR:addressbook-home-set>`), with: "CR:other-home-set>", harms: discovering},
	{name: "no calendar home-set", where: regexp.MustCompile(`C:calendar-home-set>`), with: "C:other-home-set>", harms: planning},
	{name: "no principal", where: regexp.MustCompile(`D:current-user-principal>`), with: "D:current-user>", harms: discovering + " cal-ios cal-macos cal-davx5 cal-jtx cal-thunderbird cal-evolution"},
	{name: "no address book in resourcetype", where: regexp.MustCompile(`<CR:addressbook/>`), with: "", harms: discovering},
	{name: "no calendar in resourcetype", where: regexp.MustCompile(`<C:calendar/>`), with: "", harms: planning},
	{name: "no components", where: regexp.MustCompile(`C:supported-calendar-component-set>`), with: "C:components>", harms: "cal-ios cal-macos cal-davx5 cal-jtx cal-thunderbird cal-evolution"},
	{name: "no addresses of the user", where: regexp.MustCompile(`C:calendar-user-address-set>`), with: "C:addresses>", harms: "cal-ios cal-macos cal-davx5 cal-evolution"},
	{name: "no inbox", where: regexp.MustCompile(`C:schedule-inbox-URL>`), with: "C:inbox-URL>", harms: "cal-ios cal-macos"},
	{name: "no colours", where: regexp.MustCompile(`calendar-color`), with: "color", harms: "cal-ios cal-macos cal-davx5"},
	{name: "no CTag", where: regexp.MustCompile(`CS:getctag>`), with: "CS:gettag>", harms: "ios macos evolution davx5 cal-ios cal-macos cal-evolution cal-davx5 cal-jtx"},
	{name: "no sync-collection announced", where: regexp.MustCompile(`<D:sync-collection/>`), with: "", harms: "ios macos davx5 cal-ios cal-macos cal-davx5 cal-thunderbird"},
	{name: "no privileges", where: regexp.MustCompile(`D:current-user-privilege-set>`), with: "D:privileges>", harms: "ios macos davx5 thunderbird evolution " + planning},
	{name: "no CardDAV in the DAV header", header: "Dav", where: regexp.MustCompile(`addressbook`), with: "", harms: "ios macos davx5 evolution"},
	{name: "no CalDAV in the DAV header", header: "Dav", where: regexp.MustCompile(`calendar-access`), with: "", harms: "cal-ios cal-macos cal-davx5 cal-thunderbird cal-evolution"},
	{name: "no vCard 4.0 offered", where: regexp.MustCompile(`version="4.0"`), with: `version="5.0"`, harms: "davx5"},
	{name: "no ETag in listings", where: regexp.MustCompile(`D:getetag>`), with: "D:gettag>", harms: "*"},
	{name: "no content type in listings", where: regexp.MustCompile(`D:getcontenttype>`), with: "D:type>", harms: "cal-ios cal-macos cal-davx5 cal-thunderbird"},
	{name: "no ETag after PUT", method: "PUT", header: "Etag", where: regexp.MustCompile(`.+`), with: "", harms: "ios macos davx5 evolution vdirsyncer cal-ios cal-macos cal-davx5 cal-jtx cal-evolution cal-nextcloud"},
	{name: "line ends are lost", method: "REPORT", where: regexp.MustCompile(`&#13;|&#xD;`), with: "", harms: "ios macos davx5 thunderbird evolution vdirsyncer cardbook cal-ios cal-macos cal-davx5 cal-jtx cal-thunderbird cal-evolution"},
	{name: "an octet is lost", method: "REPORT", where: regexp.MustCompile(`END:VC(ARD|ALENDAR)`), with: "END:V", harms: "ios macos davx5 thunderbird evolution vdirsyncer cardbook cal-ios cal-macos cal-davx5 cal-jtx cal-thunderbird cal-evolution"},
	{name: "a member is left out", where: regexp.MustCompile(`(?s)<D:response><D:href>[^<]*\.(vcf|ics)</D:href>.*?</D:response>`), with: "", harms: "*"},
	{name: "deleted members are not told", method: "REPORT", where: regexp.MustCompile(`404 Not Found`), with: "200 OK", harms: "ios macos davx5 thunderbird cal-ios cal-macos cal-davx5 cal-thunderbird"},
	{name: "no new token", method: "REPORT", where: regexp.MustCompile(`D:sync-token>`), with: "D:token>", harms: "ios macos davx5 thunderbird cal-ios cal-macos cal-davx5 cal-thunderbird"},
	{name: "hrefs are spelt otherwise", where: regexp.MustCompile(`\.(vcf|ics)</D:href>`), with: "%2E$1</D:href>", harms: "*"},
	{name: "no lengths of files", where: regexp.MustCompile(`D:getcontentlength>`), with: "D:length>", harms: filing},
	{name: "no kinds of what is listed", where: regexp.MustCompile(`D:resourcetype>`), with: "D:type>", harms: "files-davx5 files-photosync files-foldersync files-nextcloud"},
	{name: "no times of files", where: regexp.MustCompile(`D:getlastmodified>`), with: "D:modified>", harms: "files-davx5 files-photosync files-foldersync files-rclone"},
	{name: "times are not taken", header: "X-Oc-Mtime", where: regexp.MustCompile(`.+`), with: "", harms: "files-foldersync files-rclone files-nextcloud"},
	{name: "no parts of files", method: "HEAD", header: "Accept-Ranges", where: regexp.MustCompile(`.+`), with: "none", harms: "files-davx5"},
	{name: "no id of a file", header: "Oc-Fileid", where: regexp.MustCompile(`.+`), with: "", harms: "files-nextcloud"},
	{name: "an octet of a file is lost", method: "GET", where: regexp.MustCompile(`(?s)^.`), with: "", harms: filing},
	{name: "files are listed that arrive", method: "PROPFIND", where: regexp.MustCompile(`(<D:response><D:href>[^<]*/box/</D:href>.*?</D:response>)`), with: `$1<D:response><D:href>/part</D:href></D:response>`, harms: "files-rclone"},
	{name: "a chunk is left out", method: "PROPFIND", where: regexp.MustCompile(`(?s)<D:response><D:href>[^<]*/0000[0-9]</D:href>.*?</D:response>`), with: "", harms: "files-nextcloud"},
	{name: "the XML does not end", where: regexp.MustCompile(`</D:multistatus>`), with: "", harms: "*"},
}

// spoil is a handler that makes the fault.
func (f fault) spoil(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		if f.method == "" || f.method == r.Method {
			if f.header != "" {
				rec.Header().Set(f.header, f.where.ReplaceAllString(rec.Header().Get(f.header), f.with))
			} else if loc := f.where.FindIndex(body); loc != nil && strings.Contains(f.name, "left out") {
				body = append(bytes.Clone(body[:loc[0]]), body[loc[1]:]...)
			} else {
				body = f.where.ReplaceAll(body, []byte(f.with))
			}
		}
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(rec.Code)
		w.Write(body)
	})
}

// TestTranscriptsNotice shows that the transcripts fail where an answer lacks what their clients need: a replay that passes whatever is answered proves nothing.
func TestTranscriptsNotice(t *testing.T) {
	all := load(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			noticed := 0
			for _, tr := range all {
				harmed := f.harms == "*" && !strings.HasPrefix(tr.Name, "files-")
				for _, client := range strings.Fields(f.harms) {
					harmed = harmed || strings.HasPrefix(tr.Name, client)
				}
				if !harmed {
					continue
				}
				w := worldFor(t, tr)
				w.Handler = f.spoil(w.Handler)
				if err := tr.Replay(w); err == nil {
					t.Errorf("%s did not notice", tr.Name)
				} else {
					noticed++
				}
			}
			if noticed == 0 {
				t.Error("no transcript was there to notice")
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":          "# head\n",
		"no answer":        "--- a\nGET /\n",
		"no status":        "--- a\nGET /\n=>\n",
		"a setting":        "colour red\n--- a\nGET /\n=> 200\n",
		"no number":        "--- a\nGET /\n=> ok\n",
		"no request":       "--- a\n=> 200\n",
		"change and check": "--- meanwhile add 1\nprop / D:x\n",
		"given many":       "given many contacts\n--- a\nGET /\n=> 200\n",
		"given photos":     "given 5 photos\n--- a\nGET /\n=> 200\n",
		"edit photos":      "--- meanwhile edit 1 photos\n",
	} {
		if _, err := transcripts.Parse(name, text); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	for _, step := range []string{
		"nonsense x",
		"prop /dav/",
		"prop /dav/ X:y",
		"prop /dav/ D:resourcetype is it",
		"prop {{.unknown}} D:resourcetype",
		"prop /nowhere/ D:resourcetype",
		"prop /dav/ D:resourcetype ~ (",
		"prop /dav/ D:resourcetype/D:collection = x",
		"noprop /dav/ D:resourcetype",
		"status /dav/ 404",
		"absent /dav/",
		"members 1",
		"verbatim /dav/",
		"header DAV ~ nothing-like-it",
		"header DAV addressbook",
		"body is put",
		"body ~ nothing-like-it",
		"body nothing",
		"let x",
		"let x = sync-token",
		"let x = header Nothing",
		"let x = /dav/ D:nothing",
		"find x = D:resourcetype",
		"find x",
	} {
		tr, err := transcripts.Parse(step, "--- a\nPROPFIND /dav/\nDepth: 0\n\n<propfind xmlns=\"DAV:\"><prop><resourcetype/></prop></propfind>\n=> 207\nprop /dav/ D:resourcetype/D:collection\n"+step+"\n")
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Replay(world(t)); err == nil || !strings.Contains(err.Error(), "line 8") {
			t.Errorf("%q was answered: %v", step, err)
		}
	}
	for _, text := range []string{
		"--- a\nPROPFIND /dav/\n=> 200\n", "--- a\nPROPFIND {{.x}}\n=> 200\n", "--- a\nPROPFIND\n=> 200\n", "--- a\nPROPFIND / \nDepth\n=> 207\n",
		"--- a\nPROPFIND /\n\n{{.x}}\n=> 200\n", "--- a\nPROPFIND /\n\n{{.x\n=> 200\n", "--- meanwhile edit 1\n", "--- meanwhile dance 1\n",
	} {
		tr, err := transcripts.Parse("x", text)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Replay(world(t)); err == nil {
			t.Errorf("%q was replayed", text)
		}
	}
}
