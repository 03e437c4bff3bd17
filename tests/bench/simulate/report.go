package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// report is everything a run found out.
type report struct {
	settings *settings
	tables   []table
}

// Names of what is written; the plots lie beside the text.
const (
	reportFile  = "SIMULATION.md"
	plotFile    = "simulation.svg"
	summaryFile = "simulation-summary.svg"
)

// percent prints a share.
func percent(v float64) string { return fmt.Sprintf("%.2f", 100*v) }

// points prints the difference of two shares.
func points(v float64) string { return fmt.Sprintf("%+.2f", 100*v) }

// text is a table for a terminal.
func (r *report) text(t table) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s; %d objects, %d bytes\n", t.name, t.about, t.objects, t.distinct)
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "hit %, bytes %\t")
	for _, size := range r.settings.sizes {
		fmt.Fprintf(w, "%s %%\t\t", decimal(100*size))
	}
	fmt.Fprintln(w)
	for p, row := range t.results[0] {
		fmt.Fprintf(w, "%s\t", r.settings.policies[p].name)
		for _, v := range row {
			fmt.Fprintf(w, "%s\t%s\t", percent(v.hits), percent(v.bytes))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return out.String()
}

// summary is the means of all policies for a terminal.
func (r *report) summary() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, strings.Join(r.meansHead(), "\t")+"\t")
	for p := range r.settings.policies {
		fmt.Fprintln(w, strings.Join(r.meansRow(p), "\t")+"\t")
	}
	_ = w.Flush()
	return out.String()
}

func (r *report) meansHead() []string {
	head := []string{"mean of all", "hits %", "bytes %"}
	for _, size := range r.settings.sizes {
		head = append(head, decimal(100*size)+" %")
	}
	for _, rate := range r.settings.rates[1:] {
		head = append(head, decimal(rate)+"/s")
	}
	return head
}

// meansRow is the mean of hits and of bytes, hits at each size, and hits at the other rates.
func (r *report) meansRow(p int) []string {
	m := r.mean(0, p)
	row := []string{r.settings.policies[p].name, percent(m.hits), percent(m.bytes)}
	for size := range r.settings.sizes {
		sum := 0.0
		for _, t := range r.tables {
			sum += t.results[0][p][size].hits
		}
		row = append(row, percent(sum/float64(len(r.tables))))
	}
	for rate := range r.settings.rates[1:] {
		row = append(row, percent(r.mean(rate+1, p).hits))
	}
	return row
}

// mean is a policy's mean over all traces and sizes.
func (r *report) mean(rate, p int) (m ratios) {
	for _, t := range r.tables {
		v := t.mean(rate, p)
		m.hits += v.hits / float64(len(r.tables))
		m.bytes += v.bytes / float64(len(r.tables))
	}
	return m
}

// mean is a policy's mean over all sizes.
func (t *table) mean(rate, p int) (m ratios) {
	row := t.results[rate][p]
	for _, v := range row {
		m.hits += v.hits / float64(len(row))
		m.bytes += v.bytes / float64(len(row))
	}
	return m
}

// write makes the files of a report.
func (r *report) write(folder string) error {
	var errs []error
	for name, content := range map[string]string{
		reportFile: r.markdown(), plotFile: r.plotWorkloads(), summaryFile: r.plotSummary(),
	} {
		errs = append(errs, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644))
	}
	return errors.Join(errs...)
}

// markdown is SIMULATION.md.
func (r *report) markdown() string {
	var out strings.Builder
	s := r.settings
	fmt.Fprintf(&out, `# Cache policies, simulated

Written by %[1]smake simulate%[1]s; tests/bench/simulate/main.go says what is compared and how. %[2]d traces of a
cache-aside client, %[3]d requests each where they are generated, seed %[4]d. Every read counts, first ones too.
The cache holds a share of the bytes of all objects of a trace; an entry costs its key, its value and %[5]d B,
whatever the policy. Policies that look at a clock ran at %[6]s requests per second unless a column says otherwise;
larder's draw %[7]d candidates per victim.

`, "`", len(r.tables), s.requests, s.seed, s.overhead, decimal(s.rates[0]), s.samples)
	out.WriteString("## Means of all traces and sizes\n\n")
	fmt.Fprintf(&out, "![means by policy](%s)\n\n", summaryFile)
	var rows [][]string
	for p := range s.policies {
		rows = append(rows, r.meansRow(p))
	}
	writeTable(&out, r.meansHead(), rows)
	r.writeAdaptive(&out)
	out.WriteString("\n## Hit ratio over the size of the cache\n\n")
	fmt.Fprintf(&out, "![hit ratio over size, by workload](%s)\n\n## Policies\n\n", plotFile)
	rows = nil
	for _, p := range s.policies {
		rows = append(rows, []string{p.name, p.about})
	}
	writeTable(&out, []string{"policy", "what it is"}, rows)
	for _, t := range r.tables {
		r.writeWorkload(&out, t)
	}
	return out.String()
}

// writeWorkload is hit ratio and byte hit ratio of every policy at every size.
func (r *report) writeWorkload(out *strings.Builder, t table) {
	fmt.Fprintf(out, "\n## %s\n\n%s. %d objects, %.1f MB. Hits, and bytes hit, in per cent:\n\n", t.name, t.about, t.objects, float64(t.distinct)/1e6)
	head := []string{"policy"}
	for _, size := range r.settings.sizes {
		head = append(head, decimal(100*size)+" %")
	}
	var rows [][]string
	for p, results := range t.results[0] {
		row := []string{r.settings.policies[p].name}
		for _, v := range results {
			row = append(row, percent(v.hits)+" / "+percent(v.bytes))
		}
		rows = append(rows, row)
	}
	writeTable(out, head, rows)
}

// writeAdaptive compares larder's own policy with the others, if it took part.
func (r *report) writeAdaptive(out *strings.Builder) {
	own := -1
	for p, row := range r.settings.policies {
		if row.kind == adaptive {
			own = p
		}
	}
	if own < 0 {
		return
	}
	name := r.settings.policies[own].name
	fmt.Fprintf(out, "\n## %s against the others\n\nPoints of hit ratio. The worst case is the trace and size with the largest loss.\n\n", name)
	var rows [][]string
	for p, row := range r.settings.policies {
		if p == own || row.kind == bound {
			continue
		}
		rows = append(rows, r.duel(own, p))
	}
	writeTable(out, []string{"against", "mean difference", "traces won, of " + fmt.Sprint(len(r.tables)), "worst trace", "there", "worst case", "there"}, rows)
	rows = nil
	for _, t := range r.tables {
		best, most := -1, 0.0
		for p, row := range r.settings.policies {
			if m := t.mean(0, p).hits; p != own && row.kind != bound && (best < 0 || m > most) {
				best, most = p, m
			}
		}
		if best >= 0 {
			hits := t.mean(0, own).hits
			rows = append(rows, []string{t.name, percent(hits), r.settings.policies[best].name, percent(most), points(hits - most)})
		}
	}
	out.WriteString("\nOn each trace, mean of the sizes, beside the best of all others that do not know the future:\n\n")
	writeTable(out, []string{"trace", name, "best other", "its hits", "difference"}, rows)
}

// duel compares policy own with policy p.
func (r *report) duel(own, p int) []string {
	var sum float64
	var won int
	var worstTrace, worstCase string
	var traceLoss, caseLoss float64
	for i, t := range r.tables {
		d := t.mean(0, own).hits - t.mean(0, p).hits
		sum += d
		if d > 0 {
			won++
		}
		if i == 0 || d < traceLoss {
			worstTrace, traceLoss = t.name, d
		}
		for size, share := range r.settings.sizes {
			d := t.results[0][own][size].hits - t.results[0][p][size].hits
			if worstCase == "" || d < caseLoss {
				worstCase, caseLoss = fmt.Sprintf("%s at %s %%", t.name, decimal(100*share)), d
			}
		}
	}
	return []string{
		r.settings.policies[p].name, points(sum / float64(len(r.tables))), fmt.Sprint(won),
		worstTrace, points(traceLoss), worstCase, points(caseLoss),
	}
}

// writeTable writes a table of Markdown; columns after the first are right-aligned where all of
// their cells are numbers.
func writeTable(out *strings.Builder, head []string, rows [][]string) {
	fmt.Fprintf(out, "| %s |\n|", strings.Join(head, " | "))
	for c := range head {
		align := "---"
		if c > 0 && numeric(rows, c) {
			align = "---:"
		}
		out.WriteString(align + "|")
	}
	out.WriteByte('\n')
	for _, row := range rows {
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
}

func numeric(rows [][]string, column int) bool {
	for _, row := range rows {
		if strings.Trim(row[column], "0123456789.+-/ ") != "" {
			return false
		}
	}
	return true
}
