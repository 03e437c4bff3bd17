package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLocksAreListed: the page of all locks (server/locks.go) names every mutex, and none that is
// not there.
func TestLocksAreListed(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "server/locks.go"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(page)) {
		if words := strings.Fields(strings.TrimPrefix(line, "//\t")); strings.HasPrefix(line, "//\t") && words[0] != "order" {
			name := words[0]
			if !strings.Contains(name, ".") {
				name = words[1] // behind its number
			}
			listed = append(listed, name)
		}
	}
	var found []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (rel == "tests" || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			found = append(found, mutexes(t, path, filepath.ToSlash(filepath.Dir(rel)))...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		if !slices.Contains(listed, name) {
			t.Errorf("server/locks.go does not list %s", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(found, name) {
			t.Errorf("server/locks.go lists %s, which is not there", name)
		}
	}
}

// mutexes lists the mutexes that are fields of a file's types, as package.Type.field.
func mutexes(t *testing.T, path, pkg string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok {
				names = append(names, fieldMutexes(s, pkg+"."+n.Name.Name)...)
			}
		case *ast.ValueSpec:
			if isMutex(n.Type) {
				t.Errorf("%s: a mutex of the package", path)
			}
		}
		return true
	})
	return names
}

func fieldMutexes(s *ast.StructType, of string) (names []string) {
	for _, f := range s.Fields.List {
		if inner, ok := f.Type.(*ast.StructType); ok {
			for _, n := range f.Names {
				names = append(names, fieldMutexes(inner, of+"."+n.Name)...)
			}
		}
		if !isMutex(f.Type) {
			continue
		}
		if len(f.Names) == 0 {
			names = append(names, of+"."+f.Type.(*ast.SelectorExpr).Sel.Name)
		}
		for _, n := range f.Names {
			names = append(names, of+"."+n.Name)
		}
	}
	return names
}

// isMutex reports whether a type is sync.Mutex or sync.RWMutex.
func isMutex(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "sync" && (sel.Sel.Name == "Mutex" || sel.Sel.Name == "RWMutex")
}
