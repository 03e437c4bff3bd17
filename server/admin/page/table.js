// Tables whose rows are kept between updates, so that a focus, a selection and the place that one has
// scrolled to stay.

import { h, setText } from "./dom.js";

/**
 * table makes one. columns: [{key, title, hint, num, sort, cell(row)}]:
 *   cell   a text, [number, unit], or an element; of(row) says for elements by what they change
 *   sort   true: by value(row) here; a text: the server sorts, by that
 * id(row) tells rows apart. nothing() makes what stands in the place of no rows. sorted(by, order) is
 * called when the server is to sort.
 */
export function table({ label, columns, id, nothing, by, order = "desc", sorted, pinned }) {
  const body = h("tbody");
  const heads = columns.map((c) => {
    const head = h("th", { scope: "col", class: c.num ? "num" : "", title: c.hint });
    if (!c.sort) head.append(c.title);
    else head.append(h("button", { type: "button", onclick: () => choose(c) }, c.title));
    return head;
  });
  const sheet = h("table", { "aria-label": label }, h("thead", {}, h("tr", {}, heads)), body);
  const scroll = h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": label }, sheet);
  const blank = h("div", { hidden: true });
  const known = new Map(); // id → {tr, cells}
  let rows = [];
  let current = by;

  const mark = () => columns.forEach((c, i) => (c.key === current ? heads[i].setAttribute("aria-sort", order === "asc" ? "ascending" : "descending") : heads[i].removeAttribute("aria-sort")));
  function choose(c) {
    if (current === c.key) order = order === "asc" ? "desc" : "asc";
    else [current, order] = [c.key, c.num ? "desc" : "asc"];
    mark();
    if (sorted) sorted(c.sort, order);
    else draw();
  }
  mark();

  const value = (c, row) => (c.value ? c.value(row) : row[c.key]);
  function inOrder() {
    const c = columns.find((x) => x.key === current);
    if (sorted || !c) return rows;
    const sign = order === "asc" ? 1 : -1;
    return [...rows].sort((a, b) => {
      const [x, y] = [value(c, a), value(c, b)];
      if (x === y) return 0;
      if (x === null || x === undefined) return 1; // last, whichever way
      if (y === null || y === undefined) return -1;
      return (x < y ? -1 : 1) * sign;
    });
  }

  function fill(cells, row) {
    columns.forEach((c, i) => {
      const td = cells[i];
      const of = c.of && c.of(row);
      if (of !== undefined && td.shows === of) return;
      const what = c.cell ? c.cell(row) : row[c.key];
      td.shows = of;
      if (Array.isArray(what)) {
        if (td.children.length !== 2) td.replaceChildren(h("span", { class: "n" }), h("span", { class: "u" }));
        setText(td.children[0], what[0]);
        setText(td.children[1], what[1]);
      } else if (what instanceof Node) td.replaceChildren(what);
      else setText(td, String(what));
    });
  }

  function draw() {
    const seen = new Set();
    let at = body.firstElementChild;
    for (const row of pinned ? [...inOrder().filter((r) => !pinned(r)), ...rows.filter(pinned)] : inOrder()) {
      const key = id(row);
      if (seen.has(key)) continue;
      seen.add(key);
      let entry = known.get(key);
      if (!entry) {
        const cells = columns.map((c, i) => h(i === 0 ? "th" : "td", { class: `${c.num ? "num " : ""}${c.class || ""}`, scope: i === 0 ? "row" : null }));
        entry = { tr: h("tr", { class: pinned && pinned(row) ? "pinned" : "" }, cells), cells };
        known.set(key, entry);
      }
      fill(entry.cells, row);
      if (entry.tr === at) at = at.nextElementSibling;
      else body.insertBefore(entry.tr, at);
    }
    for (const [key, entry] of known) {
      if (seen.has(key)) continue;
      entry.tr.remove();
      known.delete(key);
    }
    scroll.hidden = seen.size === 0;
    blank.hidden = seen.size > 0;
    if (seen.size === 0 && nothing) blank.replaceChildren(nothing());
  }

  return {
    element: h("div", { class: "card list" }, scroll, blank),
    scroll,
    update(all) {
      rows = all;
      draw();
    },
    sort(key, way) {
      [current, order] = [key, way];
      mark();
    },
  };
}
