// Builds elements and formats values. Text from outside becomes a text node here, never markup.

export const byId = (id) => document.getElementById(id);

/** Makes an element with properties (`class`, `aria-…` and `data-…` as attributes) and children, without null ones. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "list") element[name] = value;
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Makes a button that is disabled while its action runs. */
export function button(label, act, properties = {}) {
  const made = el("button", { type: "button", ...properties }, label);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await act();
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

/** Makes a list of names and values, without null values. */
export const facts = (pairs) =>
  el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null)
    .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));

/** Makes a table; a head that starts with `#` marks a column of numbers. On a narrow screen each row is a card (style.css). */
export function table(label, heads, rows) {
  const names = heads.map((head) => head.replace("#", ""));
  const align = (place) => (heads[place].startsWith("#") ? "number" : "");
  // The default roles, set explicitly: browsers drop them when a style turns rows into cards.
  const cell = (value, place) => el(place ? "td" : "th",
    place ? { role: "cell", class: align(place), "data-head": names[place] } : { role: "rowheader", scope: "row" }, value);
  return el("table", { role: "table", "aria-label": label },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, names.map((name, place) =>
      el("th", { role: "columnheader", scope: "col", class: align(place) }, name)))),
    el("tbody", { role: "rowgroup" }, rows.map((cells) => el("tr", { role: "row" }, cells.map(cell)))));
}

export const number = (value) => value.toLocaleString("en");

export const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

export const percent = (share, digits = 1) => `${(share * 100).toFixed(digits)} %`;

export function milliseconds(value) {
  if (value === null) return "unknown";
  return value < 10 ? `${value.toFixed(1)} ms` : value < 10000 ? `${number(Math.round(value))} ms` : seconds(value / 1000);
}

export function seconds(value) {
  if (value < 1) return "under 1 s";
  if (value < 90) return `${Math.round(value)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${(value / 3600).toFixed(1)} h` : `${(value / 86400).toFixed(1)} days`;
}

export const when = (iso) => el("time", { dateTime: iso }, new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }));
