package holdfast_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The house is a test: the table of packages in ARCHITECTURE.md says who may import whom, and the imports are read from the source.

// pkg is a package as its files show it; tests are left out.
type pkg struct {
	files   []string
	imports map[string]bool // of the project, as folders; "." is the root
	doc     bool
	calls   []string // uses of what only some may use, with their places
}

// row is a line of the table: | `folder` | ring | may import | what it is |
var row = regexp.MustCompile("^\\| `([^`]+)` \\| ([0-9]|cmd|test) \\| ([^|]*) \\|")

type rule struct {
	ring string
	may  []string
}

func readRules(t *testing.T) map[string]rule {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]rule{}
	for line := range strings.Lines(string(text)) {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		r := rule{ring: m[2]}
		for _, f := range strings.Split(m[3], ",") {
			if f = strings.Trim(f, " `–"); f != "" {
				r.may = append(r.may, f)
			}
		}
		rules[m[1]] = r
	}
	return rules
}

func readPackages(t *testing.T) map[string]*pkg {
	pkgs := map[string]*pkg{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || file != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(file))
		if pkgs[dir] == nil {
			pkgs[dir] = &pkg{imports: map[string]bool{}}
		}
		return pkgs[dir].read(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

func (p *pkg) read(file string) error {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	p.files = append(p.files, file)
	p.doc = p.doc || f.Doc != nil
	for _, i := range f.Imports {
		name, _ := strconv.Unquote(i.Path.Value)
		if name == "holdfast" {
			p.imports["."] = true
		} else if dir, ok := strings.CutPrefix(name, "holdfast/"); ok {
			p.imports[dir] = true
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Since", "Until"}, n.Sel.Name) {
				p.calls = append(p.calls, set.Position(n.Pos()).String()+": time."+n.Sel.Name)
			}
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				p.calls = append(p.calls, set.Position(n.Pos()).String()+": func init")
			}
		}
		return true
	})
	return nil
}

func TestImportsObeyTheHouse(t *testing.T) {
	rules, pkgs := readRules(t), readPackages(t)
	for dir, p := range pkgs {
		r, ok := rules[dir]
		if !ok {
			t.Errorf("%s has no line in ARCHITECTURE.md", dir)
			continue
		}
		if !p.doc {
			t.Errorf("%s does not introduce itself: no package comment", dir)
		}
		for i := range p.imports {
			if !slices.Contains(r.may, i) {
				t.Errorf("%s imports %s, which ARCHITECTURE.md does not allow", dir, i)
			}
		}
		for _, m := range r.may {
			if !p.imports[m] {
				t.Errorf("ARCHITECTURE.md lets %s import %s, but it does not: take the arrow out", dir, m)
			}
			if to, ok := rules[m]; !ok || !inwards(r.ring, to.ring) {
				t.Errorf("the arrow from %s (ring %s) to %s (ring %s) does not point inwards", dir, r.ring, m, to.ring)
			}
		}
	}
	for dir := range rules {
		if pkgs[dir] == nil {
			t.Errorf("ARCHITECTURE.md lists %s, which is not there", dir)
		}
	}
}

// inwards tells whether ring "from" may import ring "to": one further in, or its own where the table names the arrow.
func inwards(from, to string) bool {
	switch {
	case from == "cmd" || from == "test":
		return to != "cmd"
	case to == "cmd" || to == "test":
		return false
	}
	return to <= from
}

func TestFacesKeepToTheCore(t *testing.T) {
	faces := []string{"internal/auth", "internal/dav", "internal/dav/carddav", "internal/web", "internal/api", "internal/control"}
	for dir, p := range readPackages(t) {
		for i := range p.imports {
			engine := strings.HasPrefix(i, "internal/store") || i == "internal/journal" || strings.HasPrefix(i, "internal/vault")
			if engine && slices.Contains(faces, dir) {
				t.Errorf("%s imports %s: faces go through internal/core", dir, i)
			}
			if strings.HasPrefix(i, "internal/store/sqlite") && dir != "cmd/holdfast" {
				t.Errorf("%s imports %s: only cmd/holdfast names a concrete engine", dir, i)
			}
		}
	}
}

func TestTimeHasOneDoor(t *testing.T) {
	for dir, p := range readPackages(t) {
		if dir == "internal/clock" || dir == "sim" || strings.HasPrefix(dir, "sim/") || strings.HasPrefix(dir, "internal/store/storetest") {
			continue // the door itself; and tests, which wait for what they measure
		}
		for _, c := range p.calls {
			t.Errorf("%s: time enters by internal/clock, and nothing is wired by init", c)
		}
	}
}

func TestFilesStaySmall(t *testing.T) {
	const limit = 500
	for _, p := range readPackages(t) {
		for _, f := range p.files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), "\n"); n > limit {
				t.Errorf("%s has %d lines: does it hold a second noun?", path.Clean(f), n)
			}
		}
	}
}
