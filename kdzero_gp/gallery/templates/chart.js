// Charts as SVG: lines with bands, points that are links, a grid of shades. Colours are the page's own variables.

const PLOT = { width: 560, height: 300, left: 58, right: 12, top: 12, bottom: 42 };
const DASHES = [null, "6 4", "2 3", "9 3 2 3"];

function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((s) => s * power >= rough) ?? 10);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

class Plot {
  constructor({ x, y, label, links = false }) {
    const pad = (y[1] - y[0] || Math.abs(y[0]) || 1) * 0.05;
    [this.x0, this.x1] = x[0] === x[1] ? [x[0] - 0.5, x[1] + 0.5] : x;
    [this.y0, this.y1] = [y[0] >= 0 && y[0] - pad < 0 ? 0 : y[0] - pad, y[1] + pad];
    this.id = `clip-${Plot.count = (Plot.count ?? 0) + 1}`;
    this.root = svg("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, class: "chart", role: links ? "group" : "img", "aria-label": label });
    this.inner = svg("g", { "clip-path": `url(#${this.id})` });
  }

  px(x) { return PLOT.left + ((x - this.x0) / (this.x1 - this.x0)) * (PLOT.width - PLOT.left - PLOT.right); }
  py(y) { return PLOT.height - PLOT.bottom - ((y - this.y0) / (this.y1 - this.y0)) * (PLOT.height - PLOT.top - PLOT.bottom); }

  axes(xLabel, yLabel, { integers = true, percents = false } = {}) {
    const { width, height, left, right, top, bottom } = PLOT;
    this.root.append(svg("clipPath", { id: this.id }, svg("rect", { x: left - 5, y: top - 5, width: width - left - right + 10, height: height - top - bottom + 10 })));
    for (const at of ticks(this.y0, this.y1, 5)) {
      const y = this.py(at).toFixed(1);
      this.root.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y, y2: y }),
        svg("text", { x: left - 7, y, dy: "0.32em", "text-anchor": "end" }, percents ? `${Math.round(100 * at)} %` : shownTick(at)));
    }
    for (const at of ticks(this.x0, this.x1, 7)) {
      if (integers && !Number.isInteger(at)) continue;
      this.root.append(svg("text", { x: this.px(at).toFixed(1), y: height - bottom + 17, "text-anchor": "middle" }, shownTick(at)));
    }
    this.root.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      svg("text", { class: "name", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, xLabel),
      svg("text", { class: "name", transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, yLabel),
      this.inner);
    return this;
  }

  path(points) { return points.map(([x, y], place) => `${place ? "L" : "M"}${this.px(x).toFixed(1)},${this.py(y).toFixed(1)}`).join(""); }
}

function shownTick(value) {
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) return value.toExponential(0).replace("-", "−");
  return String(value).replace("-", "−");
}

// Series: {name, colour, dash, thin, points: [[x, y]], band: [[x, low, high]]}. Null where there is nothing to show.
function lineChart({ title, note, x, y, series, percents = false, most = Infinity }) {
  const drawn = series.filter((line) => line.points.length || line.band?.length);
  if (!drawn.length) return null;
  const xs = drawn.flatMap((line) => [...line.points, ...(line.band ?? [])].map((point) => point[0]));
  const values = drawn.flatMap((line) => line.points.map((point) => point[1]));
  const lows = drawn.flatMap((line) => (line.band ?? []).map((point) => point[1]));
  // A band may reach far above every line; then it is cut, so that the lines can be told apart.
  const top = Math.max(...values);
  const highs = drawn.flatMap((line) => (line.band ?? []).map((point) => Math.min(point[2], top * 1.15)));
  const spoken = drawn.filter((line) => line.points.length).map((line) => `${line.name} ends at ${shown(line.points.at(-1)[1])}`).join("; ");
  const plot = new Plot({
    x: [Math.min(...xs), Math.max(...xs)],
    y: [Math.min(...values, ...lows), Math.min(most, Math.max(...values, ...highs))],
    label: `${title}. ${spoken}`,
  }).axes(x, y, { percents });
  for (const line of drawn) {
    if (line.band?.length) {
      const edge = [...line.band.map(([at, low]) => [at, low]), ...[...line.band].reverse().map(([at, , high]) => [at, high])];
      plot.inner.append(svg("path", { class: "band", d: `${plot.path(edge)}Z`, fill: `var(${line.colour})` }));
    }
    plot.inner.append(svg("path", { class: line.thin ? "line thin" : "line", d: plot.path(line.points), stroke: `var(${line.colour})`, "stroke-dasharray": line.dash }));
    if (line.points.length === 1) plot.inner.append(svg("circle", { cx: plot.px(line.points[0][0]), cy: plot.py(line.points[0][1]), r: 3, fill: `var(${line.colour})` }));
  }
  return figure(title, note, plot.root, legend(drawn));
}

function legend(series) {
  return h("ul", { class: "legend" }, series.map((line) => h("li", {},
    svg("svg", { viewBox: "0 0 28 10", width: 28, height: 10, "aria-hidden": "true" },
      line.band && !line.points.length ? svg("rect", { class: "band", width: 28, height: 10, fill: `var(${line.colour})` })
        : svg("path", { class: line.thin ? "line thin" : "line", d: "M0,5H28", stroke: `var(${line.colour})`, "stroke-dasharray": line.dash })),
    line.name)));
}

function figure(title, note, ...children) {
  return h("figure", {}, h("figcaption", {}, h("strong", {}, title), note ? h("span", { class: "quiet" }, ` ${note}`) : null), ...children);
}

// Points: [[x, y]] as dots; links: [{x, y, href, label}] on top, joined by a line of steps.
function scatterChart({ title, note, x, y, points, links }) {
  if (!points.length) return null;
  const ys = points.map((point) => point[1]).sort((a, b) => a - b);
  const top = Math.max(ys[Math.floor(0.95 * (ys.length - 1))], ...links.map((link) => link.y));
  const shownPoints = points.filter((point) => point[1] <= top);
  const left = points.length - shownPoints.length;
  const plot = new Plot({
    x: [Math.min(...shownPoints.map((p) => p[0])), Math.max(...shownPoints.map((p) => p[0]))],
    y: [ys[0], top], label: `${title}: ${links.length} distillers on the front`, links: true,
  }).axes(x, y);
  plot.inner.append(svg("path", { class: "dots", d: shownPoints.map(([px, py]) => `M${plot.px(px).toFixed(1)},${plot.py(py).toFixed(1)}h0`).join("") }));
  plot.inner.append(svg("path", { class: "line thin", stroke: "var(--evolve)", d: links.map((link, place) =>
    place ? `H${plot.px(link.x).toFixed(1)}V${plot.py(link.y).toFixed(1)}` : `M${plot.px(link.x).toFixed(1)},${plot.py(link.y).toFixed(1)}`).join("") }));
  for (const link of links) {
    plot.inner.append(svg("a", { href: link.href, "aria-label": link.label },
      svg("circle", { class: "front", cx: plot.px(link.x), cy: plot.py(link.y), r: 6 }, svg("title", {}, link.label))));
  }
  const cut = left ? ` ${left} with a higher fitness lie above the figure.` : "";
  return figure(title, `${note}${cut}`, plot.root);
}

// Rows: [{name, cells: [share | null]}], one column for each generation.
function shadeChart({ title, note, rows, columns, value }) {
  if (!rows.length || !columns) return null;
  const width = Math.max(3, Math.min(22, Math.floor(380 / columns)));
  const body = rows.map((line) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, line.name)),
    h("td", {}, svg("svg", { viewBox: `0 0 ${columns * width} 16`, width: columns * width, height: 16, role: "img", "aria-label": `${line.name}: ${value} from ${shown(line.cells[0], 2)} to ${shown(line.cells.at(-1), 2)}` },
      line.cells.map((cell, place) => (cell === null ? null : svg("rect", { class: "shade", x: place * width, y: 1, width: width - 1, height: 14, "fill-opacity": Math.max(0.06, Math.min(1, cell)).toFixed(2) }))))),
    h("td", {}, shown(line.cells.at(-1), 2))));
  return figure(title, note, wide(title, h("table", { class: "shades" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Operation"), h("th", { scope: "col", class: "text" }, `Generations 0 to ${columns - 1}`), h("th", { scope: "col" }, "Last"))),
    h("tbody", {}, body))));
}
