// Elements from names, attributes and children. Text is always set as text: nothing from a run is read as markup.

const SVG = "http://www.w3.org/2000/svg";
const MATHML = "http://www.w3.org/1998/Math/MathML";

function make(namespace, tag, attributes, children) {
  const element = namespace ? document.createElementNS(namespace, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const h = (tag, attributes, ...children) => make(null, tag, attributes, children);
const svg = (tag, attributes, ...children) => make(SVG, tag, attributes, children);
const math = (tag, attributes, ...children) => make(MATHML, tag, attributes, children);

// A number as a reader wants it; what is no number (null, "nan", "inf") as a dash or as it is.
function shown(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : value.toFixed(digits);
  return text.replace("-", "−");
}

const percent = (value, digits = 1) => (typeof value === "number" ? `${(100 * value).toFixed(digits)} %` : "–");

function signed(value, digits = 2) {
  return typeof value === "number" ? `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}` : "–";
}

// A table's entry, where the name may be any text, "constructor" and "__proto__" among them.
const lookup = (table, name, otherwise) => (Object.hasOwn(table, name) ? table[name] : otherwise);

function median(values) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : null);

function section(title, ...children) {
  const id = `s-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

// A table that may be wider than the page: its surroundings scroll, by keyboard as well.
function wide(label, ...children) {
  return h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": label }, ...children);
}

function copyButton(label, text) {
  const button = h("button", { type: "button" }, label);
  button.addEventListener("click", async () => {
    const copied = await copied_to_clipboard(text);
    button.textContent = copied ? "Copied" : "Copying failed";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}

async function copied_to_clipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // a page from disk, or without permission: the old way, through a selection
    const area = h("textarea", { readonly: true, class: "off-screen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    const before = document.activeElement;
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    before?.focus();
    return copied;
  }
}
