// The table of all distillers. Only the rows in sight are in the page, so that tens of thousands scroll smoothly.

const ROW_HEIGHT = 34;
const SPARE = 8;

function tableColumns(run) {
  const { rows } = run;
  const number = (name, label, digits = 4) => ({ id: name, label, numeric: true, width: 92, value: (i) => rows[name][i], show: (i) => shown(rows[name][i], digits) });
  const choice = (name, label, show, width = 122) => ({ id: name, label, width, choices: rows[name].names, show, value: (i) => rows[name].codes[i], rank: ranks(rows[name].names) });
  return [
    { ...number("number", "Number", 0), link: true },
    number("fitness", "Fitness"),
    choice("arm", "Search", (i) => armName(run.arm(i)), 136),
    { ...number("generation", "Generation", 0), width: 116 },
    ...(run.rungs > 1 ? [number("rung", "Rung", 0)] : []),
    choice("operator", "Operator", (i) => run.operator(i)),
    choice("status", "Status", (i) => run.status(i), 190),
    { id: "tree", label: "Text form", text: true, width: 440, value: (i) => rows.tree[i], show: (i) => rows.tree[i] },
    ...Object.keys(rows.parts).map((name) => ({ id: `part ${name}`, label: name.replaceAll("_", " "), numeric: true, width: 116, value: (i) => rows.parts[name][i], show: (i) => shown(rows.parts[name][i]) })),
    number("size", "Size", 0), number("depth", "Depth", 0), number("seconds", "Seconds", 2),
  ];
}

function ranks(names) {
  const order = [...names.keys()].sort((a, b) => names[a].localeCompare(names[b]));
  const found = [];
  order.forEach((code, rank) => { found[code] = rank; });
  return found;
}

// "<0.5", ">=3", "2..5" or "3" as a test of numbers; null for an empty text, undefined for one that is none of these.
function numberTest(text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  const range = /^(-?[\d.e+-]+)\s*(?:\.\.|–|to)\s*(-?[\d.e+-]+)$/i.exec(trimmed);
  if (range) {
    const [low, high] = [Number(range[1]), Number(range[2])];
    return Number.isNaN(low + high) ? undefined : (value) => value >= low && value <= high;
  }
  const compared = /^(<=|>=|<|>|=)?\s*(-?[\d.]+(?:e[+-]?\d+)?)$/i.exec(trimmed);
  if (!compared || Number.isNaN(Number(compared[2]))) return undefined;
  const bound = Number(compared[2]);
  return { "<": (v) => v < bound, "<=": (v) => v <= bound, ">": (v) => v > bound, ">=": (v) => v >= bound }[compared[1]] ?? ((v) => v === bound);
}

function matchingRows(run, columns, filters) {
  const tests = [];
  for (const column of columns) {
    const wanted = filters[column.id] ?? "";
    if (wanted === "") continue;
    if (column.choices) {
      const code = column.choices.indexOf(wanted);
      tests.push((i) => column.value(i) === code);
    } else if (column.text) {
      const needle = wanted.toLowerCase();
      tests.push((i) => column.value(i).toLowerCase().includes(needle));
    } else {
      const test = numberTest(wanted);
      if (test) tests.push((i) => typeof column.value(i) === "number" && test(column.value(i)));
    }
  }
  if (filters.contains) {
    const mention = new RegExp(`(^|[^\\w])${filters.contains.replace(/\W/g, "\\$&")}\\s*\\(`);
    tests.push((i) => mention.test(run.rows.tree[i]));
  }
  const found = [];
  for (let i = 0; i < run.count; i += 1) if (tests.every((test) => test(i))) found.push(i);
  return found;
}

// Numbers by size, texts by alphabet, what is missing at the end either way.
function sortRows(found, column, descending) {
  const value = column.rank ? (i) => column.rank[column.value(i)] : column.value;
  const sign = descending ? -1 : 1;
  const missing = (v) => (column.numeric ? typeof v !== "number" : false);
  return found.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y) || a - b;
    return (x < y ? -sign : x > y ? sign : 0) || a - b;
  });
}

class DistillerTable {
  constructor(run, state) {
    this.run = run;
    this.state = state;
    this.columns = tableColumns(run);
    this.status = h("p", { class: "quiet", role: "status" });
    this.body = h("tbody", {});
    this.above = h("tr", { class: "space", "aria-hidden": "true" });
    this.below = h("tr", { class: "space", "aria-hidden": "true" });
    this.heads = new Map(this.columns.map((column) => [column.id, this.head(column)]));
    const width = this.columns.reduce((sum, column) => sum + column.width, 0);
    this.table = h("table", { class: "all", "aria-label": "All distillers", style: `width: ${width}px` },
      h("colgroup", {}, this.columns.map((column) => h("col", { style: `width: ${column.width}px` }))),
      h("thead", {}, h("tr", { "aria-rowindex": 1 }, [...this.heads.values()]), h("tr", { class: "filters", "aria-rowindex": 2 }, this.columns.map((column) => h("td", {}, this.filter(column))))),
      this.body);
    this.scroller = h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "All distillers, scrollable", on: { scroll: () => this.queue(), keydown: (event) => this.key(event) } }, this.table);
    this.refresh();
  }

  get element() {
    return h("div", {}, this.toolbar(), this.status, this.scroller);
  }

  toolbar() {
    const names = Object.keys(this.run.operations).filter((name) => !["add", "weight"].includes(name));
    const contains = h("select", { id: "contains", on: { change: (event) => this.set("contains", event.target.value) } },
      h("option", { value: "" }, "any operation"), names.map((name) => h("option", { value: name, selected: this.state.filters.contains === name }, name)));
    return h("div", { class: "toolbar" }, h("label", { for: "contains" }, "Contains "), contains,
      h("button", { type: "button", on: { click: () => this.clear() } }, "Clear filters"),
      h("span", { class: "quiet" }, "Filter numbers with <0.5, >=3, 2..5 or 3."));
  }

  head(column) {
    const button = h("button", { type: "button", on: { click: () => this.sort(column) } }, column.label, h("span", { class: "arrow", "aria-hidden": "true" }));
    return h("th", { scope: "col", class: column.numeric ? null : "text" }, button);
  }

  filter(column) {
    const label = `Filter ${column.label}`;
    const current = this.state.filters[column.id] ?? "";
    if (column.choices) {
      const shownChoice = (name) => (column.id === "arm" ? armName(name) : name);
      return h("select", { "aria-label": label, on: { change: (event) => this.set(column.id, event.target.value) } },
        h("option", { value: "" }, "all"), column.choices.map((name) => h("option", { value: name, selected: name === current }, shownChoice(name))));
    }
    return h("input", { type: "text", "aria-label": label, value: current, placeholder: column.text ? "contains …" : "", spellcheck: "false", autocomplete: "off", on: { input: (event) => this.set(column.id, event.target.value, event.target, column) } });
  }

  set(id, value, input = null, column = null) {
    this.state.filters[id] = value;
    if (input && column?.numeric) input.setAttribute("aria-invalid", String(numberTest(value) === undefined));
    this.scroller.scrollTop = 0;
    this.refresh();
  }

  clear() {
    this.state.filters = {};
    for (const field of this.scroller.parentElement.querySelectorAll("input, select")) {
      field.value = "";
      field.removeAttribute("aria-invalid");
    }
    this.refresh();
  }

  sort(column) {
    this.state.descending = this.state.sort === column.id ? !this.state.descending : false;
    this.state.sort = column.id;
    this.scroller.scrollTop = 0;
    this.refresh();
  }

  refresh() {
    const column = this.columns.find((other) => other.id === this.state.sort) ?? this.columns[0];
    this.found = sortRows(matchingRows(this.run, this.columns, this.state.filters), column, this.state.descending);
    for (const [id, head] of this.heads) {
      if (id === column.id) head.setAttribute("aria-sort", this.state.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    this.table.setAttribute("aria-rowcount", this.found.length + 2);
    this.status.textContent = `${this.found.length.toLocaleString("en")} of ${this.run.count.toLocaleString("en")} evaluations`;
    this.first = -1;
    this.draw();
  }

  queue() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const height = this.scroller.clientHeight || 600;
    const first = Math.max(0, Math.min(Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - SPARE, this.found.length - 1));
    const last = Math.min(this.found.length, first + Math.ceil(height / ROW_HEIGHT) + 2 * SPARE);
    if (first === this.first && last === this.last) return;
    const focused = document.activeElement?.closest?.("tr[data-row]")?.dataset.row;
    [this.first, this.last] = [first, last];
    const filler = (line, rows) => { line.style.height = `${Math.max(0, rows) * ROW_HEIGHT}px`; return rows > 0 ? [line] : []; };
    this.body.replaceChildren(...filler(this.above, first), ...this.found.slice(first, last).map((i, place) => this.line(i, first + place)), ...filler(this.below, this.found.length - last));
    if (focused !== undefined) this.body.querySelector(`tr[data-row="${focused}"] a`)?.focus({ preventScroll: true });
  }

  line(i, place) {
    const status = this.run.status(i);
    return h("tr", { "data-row": place, "aria-rowindex": place + 3, class: status === "ok" ? null : "bad" }, this.columns.map((column) => {
      if (column.link) return h("th", { scope: "row" }, h("a", { href: this.run.card(this.run.placeOf(i)), "aria-label": `Distiller ${nameOf(this.run.placeOf(i))}` }, String(column.value(i))));
      const text = column.show(i);
      return column.text ? h("td", { class: "text", title: text }, h("code", {}, text.length > 400 ? `${text.slice(0, 400)}…` : text)) : h("td", { class: column.numeric ? null : "text" }, text);
    }));
  }

  // Arrow keys, Page Up and Page Down, Home and End move from row to row.
  key(event) {
    const line = event.target.closest?.("tbody tr[data-row]");
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_HEIGHT) - 3);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!line || !(event.key in steps)) return;
    event.preventDefault();
    const target = Math.max(0, Math.min(this.found.length - 1, Number(line.dataset.row) + steps[event.key]));
    const top = target * ROW_HEIGHT;
    const visible = this.scroller.clientHeight - 3 * ROW_HEIGHT;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top > this.scroller.scrollTop + visible) this.scroller.scrollTop = top - visible;
    this.draw();
    this.body.querySelector(`tr[data-row="${target}"] a`)?.focus({ preventScroll: true });
  }
}
