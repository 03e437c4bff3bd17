package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestReadmeMapsPackages: README's code map has the packages of the table of levels, each with its
// level.
func TestReadmeMapsPackages(t *testing.T) {
	mapped := map[string]string{} // the level of a package
	for _, row := range regexp.MustCompile("(?m)^\\| (\\d+) \\| `([^`]+)` ").FindAllStringSubmatch(readme(t), -1) {
		mapped[row[2]] = row[1]
	}
	for _, words := range rows(levels) {
		for _, name := range words[1:] {
			if mapped[name] != words[0] {
				t.Errorf("%s is of level %s, which README's code map does not say (%q)", name, words[0], mapped[name])
			}
			delete(mapped, name)
		}
	}
	for name := range mapped {
		t.Errorf("%s stands in README's code map and not in the table of levels", name)
	}
}

// TestReadmeLinksLead: what README links to is a file, or one of its own headings.
func TestReadmeLinksLead(t *testing.T) {
	text := readme(t)
	anchors := map[string]bool{}
	dropped := regexp.MustCompile("[^a-z0-9 _-]")
	for _, heading := range regexp.MustCompile("(?m)^#+ (.*)$").FindAllStringSubmatch(text, -1) {
		anchor := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")
		if anchors[anchor] {
			t.Errorf("two headings of README have the anchor %s", anchor)
		}
		anchors[anchor] = true
	}
	for _, link := range regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		target := link[1]
		if anchor, here := strings.CutPrefix(target, "#"); here {
			if !anchors[anchor] {
				t.Errorf("README links to its heading %s, which does not exist", anchor)
			}
		} else if !strings.Contains(target, "://") {
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("README links to %s: %v", target, err)
			}
		}
	}
}

// TestCommentsNameFiles: a file that a comment names exists, and a package's list of its files, where it
// has one, is complete.
func TestCommentsNameFiles(t *testing.T) {
	files := map[string]bool{} // all of them, and all ends of their paths
	var sources []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "bin" || name == "data" || len(name) > 1 && name[0] == '.'):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go"):
			sources = append(sources, name)
			for end, more := filepath.ToSlash(name), true; more; _, end, more = strings.Cut(end, "/") {
				files[end] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	comments := regexp.MustCompile("(?m)//.*$")
	named := regexp.MustCompile(`[\w/]*\w\.go\b`)
	listed := map[string]string{} // the list of a folder's files
	for _, source := range sources {
		content, err := os.ReadFile(filepath.Join(root, source))
		if err != nil {
			t.Fatal(err)
		}
		for _, comment := range comments.FindAllString(string(content), -1) {
			for _, name := range named.FindAllString(comment, -1) {
				if !files[strings.TrimLeft(name, "/")] {
					t.Errorf("%s: there is no file %s", source, name)
				}
			}
		}
		if _, list, ok := strings.Cut(string(content), "\n// # Source files\n"); ok {
			listed[filepath.Dir(source)], _, _ = strings.Cut(list, "\npackage ")
		}
	}
	for _, source := range sources {
		list, ok := listed[filepath.Dir(source)]
		name := filepath.Base(source)
		if ok && !strings.HasSuffix(name, "_test.go") && !regexp.MustCompile(`\b`+regexp.QuoteMeta(name)).MatchString(list) {
			t.Errorf("%s is not in its package's list of files", source)
		}
	}
}
