// A distiller's formula as MathML, which browsers set themselves: no font, no network, and screen readers read it.
// E is the mean over the batch; s and t mark the student's and the teacher's tensor.

const UNKNOWN = { kind: "unknown", signs: [], side: "both" };

class Formula {
  constructor(operations, calibration) {
    this.operations = operations;
    this.calibration = calibration;
    this.term = 0;
    this.definitions = new Map();
  }

  // Rows of [left side, sign, right side].
  rows(root) {
    const terms = this.terms(root).map((node) => this.expression(node));
    const rows = terms.map((term, place) => [place ? null : math("mi", { mathvariant: "normal" }, "ℒ"), place ? "+" : "=", term]);
    for (const { symbol, text } of this.definitions.values()) rows.push([symbol(), "=", text]);
    return rows;
  }

  terms(root) {
    const found = [];
    const open = [root];
    while (open.length) {
      const node = open.pop();
      if (node.symbol === "add") open.push(...[...node.children].reverse());
      else found.push(node);
    }
    return found;
  }

  kind(node) {
    if (node.symbol === "add" || node.symbol === "weight") return "structure";
    return lookup(this.operations, node.symbol, UNKNOWN).kind;
  }

  expression(node) {
    if (isNumber(node)) return number(Number(node.symbol));
    if (!node.children.length) return tap(node.symbol);
    if (node.symbol === "weight" && node.children.length === 2) {
      const factor = this.calibration[this.term++];
      return row(
        this.expression(node.children[0]),
        typeof factor === "number" ? [operator("·"), number(factor)] : null,
        operator("·"), math("mi", { mathvariant: "normal" }, "𝔼"),
        operator("["), this.expression(node.children[1]), operator("]"),
      );
    }
    const kind = this.kind(node);
    if (kind === "weight") return row(named(node.symbol), operator("·"), node.children.map((child) => this.expression(child)));
    return this.call(node, kind === "distance");
  }

  call(node, apart) {
    const { signs = [], side } = lookup(this.operations, node.symbol, UNKNOWN);
    const signOf = (child, place) => (isNumber(child) ? signs[place] : "");
    const signed = node.children.flatMap((child, place) => (signOf(child, place) ? [row(math("mi", {}, signs[place]), operator("="), number(Number(child.symbol)))] : []));
    const values = node.children.filter((child, place) => !signOf(child, place)).flatMap((child) =>
      apart && !isNumber(child) ? this.sides(child) : [this.expression(child)]);
    let name = named(node.symbol);
    if (signed.length) name = math("msub", {}, name, row(separated(signed)));
    if (side !== "both") name = math("msup", {}, name, math("mi", {}, side[0]));
    return row(name, operator("("), separated(values), operator(")"));
  }

  // A distance takes the two sides apart: what is more than a tap gets a symbol of its own.
  sides(node) {
    let symbol = () => tap(node.symbol);
    if (node.children.length) {
      if (!this.definitions.has(node.text)) {
        const text = this.expression(node);
        const place = this.definitions.size + 1;
        this.definitions.set(node.text, { symbol: () => math("msub", {}, math("mi", {}, "x"), math("mn", {}, String(place))), text });
      }
      symbol = this.definitions.get(node.text).symbol;
    }
    return ["s", "t"].map((mark) => math("msup", {}, symbol(), math("mi", {}, mark)));
  }
}

const row = (...children) => math("mrow", {}, ...children);
const operator = (sign) => math("mo", "[]()".includes(sign) ? { stretchy: "false" } : {}, sign);
const named = (name) => math("mi", { mathvariant: "normal" }, name);
const separated = (nodes) => nodes.flatMap((node, place) => (place ? [operator(","), node] : [node]));

function tap(name) {
  const stage = /^stage(\d+)$/.exec(name);
  if (stage) return math("msub", {}, math("mi", {}, "F"), math("mn", {}, stage[1]));
  return name === "pool" ? math("mi", {}, "f") : name === "logits" ? math("mi", {}, "z") : named(name);
}

function number(value) {
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4)) return math("mn", { title: value }, String(Number(value.toPrecision(3))));
  const [mantissa, exponent] = value.toExponential(2).split("e");
  return row(math("mn", {}, String(Number(mantissa))), operator("×"), math("msup", {}, math("mn", {}, "10"), math("mn", {}, String(Number(exponent)))));
}

function formulaOf(text, calibration, operations) {
  const root = parseTextForm(text);
  if (!root) return null;
  let rows;
  try {
    rows = new Formula(operations, calibration).rows(root);
  } catch (error) { // deeper than the browser's stack: the text form holds all of it
    if (error instanceof RangeError) return null;
    throw error;
  }
  const table = rows.map((cells) => math("mtr", {}, cells.map((cell) =>
    math("mtd", {}, typeof cell === "string" ? operator(cell) : cell ?? math("mrow", {})))));
  return h("div", { class: "formula", tabindex: 0, role: "region", "aria-label": "Formula" }, math("math", { display: "block" }, math("mtable", {}, table)));
}
