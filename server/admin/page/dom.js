// Elements are made here, and from text by textContent alone. What comes from the server may be
// anything that somebody has named a key; the page's policy (Trusted Types) refuses all ways by which
// text could become elements.

/** h makes an element: properties (on… are listeners, aria-… and data-… attributes), then children. */
export function h(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (name === "class") e.className = value;
    else if (name.includes("-") || ["role", "for", "scope", "list"].includes(name)) e.setAttribute(name, value);
    else e[name] = value;
  }
  e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

/** svg makes an element of SVG; all properties are attributes. */
export function svg(tag, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

/** setText changes an element's text if it is another one: what stays the same keeps a selection. */
export function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

export const byId = (id) => document.getElementById(id);

/** say shows a message for some seconds, and has it read out. */
let silence;
export function say(text, bad) {
  const e = byId("said");
  e.className = bad ? "said shown bad" : "said shown";
  e.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => {
    e.className = "said";
    e.textContent = "";
  }, bad ? 8000 : 4000);
}

/** named shows a name as the server has escaped it: {text, truncated}. */
export function named(label, props) {
  const text = label.text === "" ? "(empty)" : label.text + (label.truncated ? "…" : "");
  return h("span", { class: label.text === "" ? "name muted" : "name", title: text, ...props }, text);
}

/** empty is what a view shows in the place of nothing: what that means, and what to do. */
export function empty(title, ...text) {
  return h("div", { class: "empty" }, h("p", { class: "title" }, title), text.map((t) => h("p", {}, t)));
}
