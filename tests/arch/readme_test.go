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
