// A chart is a card: what is measured, its present value in large, a legend that follows the cursor,
// and the curve (uPlot). All charts share the times on their x axis, and one cursor.

import { h, setText, svg } from "./dom.js";
import { clock, join, round } from "./format.js";

/* global uPlot */

const drawn = new Set(); // all charts, to be drawn anew when the theme changes
let colors = new Map();

/** color is the present value of a custom property of the style sheet, which a canvas cannot read. */
function color(name, share = 1) {
  const key = `${name}/${share}`;
  if (!colors.has(key)) {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = share < 1 ? `color-mix(in srgb, var(${name}) ${share * 100}%, transparent)` : `var(${name})`;
    colors.set(key, getComputedStyle(probe).color);
    probe.remove();
  }
  return colors.get(key);
}

/** recolor draws all charts in the colours that hold now. */
export function recolor() {
  colors = new Map();
  for (const c of drawn) c.redraw(false, true);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolor);

/** tick is a value at an axis, "" where uPlot leaves one of a logarithmic axis out. */
const tick = (v, format) => (v === null || v === undefined ? "" : round(format(v)));

/** Ranges of the y axis: from 0 to a little above the largest value, all of a share, decades. */
export const upTo = (least) => ({ range: (_u, _min, max) => [0, Math.max(least, (max || 0) * 1.08)] });
export const share = { range: () => [0, 1], splits: () => [0, 0.25, 0.5, 0.75, 1] };
export const decades = {
  distr: 3,
  range: (_u, min, max) => [10 ** Math.floor(Math.log10(min || 1)), 10 ** Math.ceil(Math.log10(Math.max(max || 1000, (min || 1) * 1.01)))],
  splits: (_u, _axis, min, max) => {
    const all = [];
    for (let e = Math.ceil(Math.log10(min) - 1e-9); 10 ** e <= max * 1.001; e++) all.push(10 ** e);
    return all;
  },
};
const binary = Array.from({ length: 44 }, (_, i) => 2 ** i);
export const inBytes = { ...upTo(1 << 20), incrs: binary };

/**
 * chart makes a card. series: [{key, label, color (custom property), fill, dash, of(sample)}]; format
 * makes [number, unit] of a value; scale is one of the above; note(sample) is a text beside the large
 * value; nothing(samples) is what to say in the place of a curve, "" if there is one.
 */
export function chart({ title, series, format, scale, note, nothing }) {
  const big = [h("span", { class: "n" }), h("span", { class: "u" })];
  const beside = h("span", { class: "beside" });
  const values = series.map(() => h("span", { class: "v" }));
  const at = h("span", { class: "at" });
  const blank = h("p", { class: "blank" });
  const plot = h("div", { class: "plot" }, blank);
  const box = h(
    "section",
    { class: "card chart", tabIndex: 0, role: "group", "aria-label": `${title}: a chart. Left and right arrow read its values.` },
    h("header", {}, h("h2", {}, title), at),
    h("p", { class: "big" }, big, beside),
    plot,
    h("p", { class: "legend" }, series.length > 1 && series.map((s, i) => h("span", {}, h("i", { class: `swatch ${s.dash ? "dashed " : ""}${s.color.slice(2)}` }), s.label, " ", values[i]))),
  );
  let samples = [];
  let u = null;

  const read = (index) => {
    const s = samples[index ?? samples.length - 1];
    const shown = series.map((x) => (s ? x.of(s) : null));
    const [n, unit] = format(shown[0]);
    setText(big[0], n);
    setText(big[1], unit);
    setText(beside, (s && note && note(s)) || "");
    values.forEach((v, i) => setText(v, join(format(shown[i]))));
    setText(at, index === null || index === undefined || !s ? "" : clock(s.t));
  };

  const make = (data) => {
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: () => color("--muted"), font, ticks: { show: false }, grid: { stroke: () => color("--grid"), width: 1 }, border: { show: false } };
    const { splits, incrs, ...y } = scale;
    u = new uPlot(
      {
        width: plot.clientWidth,
        height: plot.clientHeight,
        padding: [6, 16, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: "larder" }, y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: { x: { time: true, range: () => window_ }, y },
        axes: [
          { ...axis, size: 22, gap: 4, space: 64, values: (_u, ticks) => ticks.map((t) => (t - window_[0] < (window_[1] - window_[0]) * 0.03 ? "" : clock(t * 1000).slice(0, 5))), incrs: [60, 120, 300, 600, 900, 1800, 3600] },
          { ...axis, size: 50, gap: 6, space: 30, values: (_u, ticks) => ticks.map((v) => tick(v, format)), ...(splits && { splits }), ...(incrs && { incrs }) },
        ],
        series: [
          {},
          ...series.map((s) => ({
            stroke: () => color(s.color),
            fill: s.fill && (() => color(s.color, 0.13)),
            width: s.dash ? 1 : 1.5,
            dash: s.dash && [5, 4],
            points: { show: false },
          })),
        ],
        hooks: { setCursor: [(c) => read(c.cursor.left < 0 ? null : c.cursor.idx)] },
      },
      data,
      plot,
    );
    drawn.add(u);
    new ResizeObserver(() => plot.clientWidth && u.setSize({ width: plot.clientWidth, height: plot.clientHeight })).observe(plot);
  };

  box.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!u || (!step && e.key !== "Escape") || samples.length === 0) return;
    e.preventDefault();
    const from = u.cursor.left < 0 || u.cursor.idx === null ? samples.length : u.cursor.idx;
    const to = Math.max(0, Math.min(samples.length - 1, from + step));
    const left = e.key === "Escape" ? -10 : u.valToPos(samples[to].t / 1000, "x");
    u.setCursor({ left, top: 0 });
  });
  box.addEventListener("focusout", () => u && u.setCursor({ left: -10, top: -10 }));

  let window_ = [0, 1];
  return {
    element: box,
    /** update shows other samples, of the time from..to (s). */
    update(all, from, to) {
      samples = all;
      window_ = [from, to];
      const text = nothing ? nothing(all) : "";
      setText(blank, text);
      blank.hidden = text === "";
      if (plot.clientWidth > 0) {
        const data = [all.map((s) => s.t / 1000), ...series.map((x) => all.map((s) => (s.gap ? null : x.of(s))))];
        if (u) u.setData(data, true);
        else make(data);
      }
      if (!u || u.cursor.left < 0 || u.cursor.left === undefined) read(null);
    },
  };
}

/**
 * spark is a curve of shares without axes: values of an hour, of which some are null. The text says
 * the same to those who do not see it.
 */
export function spark(values) {
  const [w, hgt, pad] = [112, 24, 2];
  const known = values.filter((v) => v !== null);
  const label = known.length === 0 ? "no reads in the last hour"
    : `last hour: lowest ${Math.round(Math.min(...known) * 100)} %, highest ${Math.round(Math.max(...known) * 100)} %, last ${Math.round(known[known.length - 1] * 100)} %`;
  const x = (i) => (pad + (i * (w - 2 * pad)) / (values.length - 1)).toFixed(1);
  const y = (v) => (hgt - pad - v * (hgt - 2 * pad)).toFixed(1);
  const box = svg("svg", { viewBox: `0 0 ${w} ${hgt}`, width: w, height: hgt, class: "spark", role: "img", "aria-label": label });
  box.append(svg("path", { class: "base", d: `M${pad} ${hgt - pad}H${w - pad}` }));
  let line = "";
  let from = -1;
  const end = (i) => {
    if (from < 0) return;
    if (i - from > 1) box.append(svg("path", { class: "area", d: `${line}V${hgt - pad}H${x(from)}Z` }), svg("path", { class: "line", d: line }));
    else box.append(svg("circle", { class: "dot", cx: x(from), cy: y(values[from]), r: 1.4 }));
    from = -1;
  };
  values.forEach((v, i) => {
    if (v === null) return end(i);
    line = from < 0 ? `M${x(i)} ${y(v)}` : `${line}L${x(i)} ${y(v)}`;
    if (from < 0) from = i;
  });
  end(values.length);
  return box;
}

/** bar shows a share as a length, beside the number that says it. */
export function bar(part) {
  const width = (Math.max(0, Math.min(1, part || 0)) * 100).toFixed(1);
  return svg("svg", { class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width, height: 1 }));
}
