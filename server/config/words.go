package config

import "github.com/larderkv/larder/words"

const errUnbalanced = problem("Unbalanced quotes in configuration line")

// splitWords cuts a line into words.
func splitWords(line string) ([]string, error) {
	taken, ok := words.Split(nil, []byte(line))
	if !ok {
		return nil, errUnbalanced
	}
	var split []string
	for _, word := range taken {
		split = append(split, string(word))
	}
	return split, nil
}

// quote is the inverse: s in double quotes, so that splitWords gives it back.
func quote(s string) string { return string(words.AppendQuoted(nil, s)) }
