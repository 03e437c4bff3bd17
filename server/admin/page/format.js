// Numbers as people read them. Where there is none, a dash stands.

export const none = "–";
const missing = (x) => x === null || x === undefined || Number.isNaN(x);
const fixed = (digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const digits = [fixed(0), fixed(1), fixed(2)];

/** [number, unit] by a scale of steps; the number has about three figures. */
function scaled(x, base, units) {
  let i = 0;
  let v = Math.abs(x);
  while (v >= (base === 1000 ? 999.5 : 1023.5) && i < units.length - 1) {
    v /= base;
    i++;
  }
  const n = i === 0 ? 0 : v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
  return [(x < 0 ? "−" : "") + digits[n].format(v), units[i]];
}

/** Bytes, in steps of 1024 as Redis and larder name them. */
export const bytes = (n) => (missing(n) ? [none, ""] : scaled(n, 1024, ["B", "KB", "MB", "GB", "TB"]));

/** A count, whole. */
export const count = (n) => (missing(n) ? none : digits[0].format(n));

/** A count or a rate in short: 1,234, then 12.3 k. */
export const short = (n) => {
  if (missing(n)) return [none, ""];
  if (Math.abs(n) >= 999.5 && Math.abs(n) < 9999.5) return [digits[0].format(n), ""];
  if (n !== 0 && Math.abs(n) < 10 && !Number.isInteger(n)) return [digits[1].format(n), ""];
  return scaled(n, 1000, ["", "k", "M", "G", "T"]);
};

/** A share of 1 as per cent. */
export const percent = (x) => (missing(x) ? [none, ""] : [digits[1].format(x * 100), "%"]);

/** Microseconds. */
export const micros = (us) => {
  if (missing(us)) return [none, ""];
  if (us < 999.5) return [us < 9.95 ? digits[1].format(us) : digits[0].format(us), "µs"];
  if (us < 999500) return [us < 9995 ? digits[2].format(us / 1000) : digits[1].format(us / 1000), "ms"];
  return [digits[2].format(us / 1e6), "s"];
};

/** A span of time in ms, by its two largest units. */
export function span(ms) {
  if (missing(ms)) return none;
  if (ms === 0) return "0 s";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  let s = Math.floor(ms / 1000);
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    if (s >= size || (parts.length > 0 && parts.length < 2)) {
      const n = Math.floor(s / size);
      if (n > 0) parts.push(`${n} ${unit}`);
      else parts.push("");
      s -= n * size;
    }
    if (parts.length === 2) break;
  }
  return parts.filter(Boolean).join(" ");
}

/** [number, unit] as one text, with a narrow space that does not break. */
export const join = ([n, unit]) => (unit ? `${n}\u202f${unit}` : n);

/** round is join without decimals that are nought. */
export const round = ([n, unit]) => join([n.includes(".") ? n.replace(/\.?0+$/, "") : n, unit]);

const pad = (n) => String(n).padStart(2, "0");

/** The time of day of unix ms. */
export function clock(ms) {
  const d = new Date(ms);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

/** Date and time of unix ms. */
export function date(ms) {
  if (missing(ms) || ms <= 0) return "never";
  const d = new Date(ms);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${clock(ms)}`;
}

/** plural is "1 key", "2 keys". */
export const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;
