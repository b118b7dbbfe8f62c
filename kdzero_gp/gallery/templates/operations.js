// What became of the carriers of each operation.

function operationsPage(run) {
  const arms = Object.keys(run.data.statistics);
  if (!arms.length) return [h("p", { class: "note" }, emptyText(run))];
  return [
    h("p", {}, "A distiller counts for every operation it carries. Survived: the share of trained carriers that became a parent. The interval is the 95 % confidence interval of the mean fitness of the trained carriers; the line marks the mean of those without the operation. Carriers of an operation differ in more than that operation, so this shows what went together, not what caused what."),
    ...arms.map((arm) => section(arms.length > 1 ? `Carriers in ${armName(arm)}` : "Carriers", statisticsTable(run, arm))),
    section("What the operations compute", wide("What the operations compute", h("table", {},
      h("thead", {}, h("tr", {}, ["Name", "Kind", "Formula", "Types", "Meaning"].map((name) => h("th", { scope: "col", class: "text" }, name)))),
      h("tbody", {}, Object.entries(run.operations).map(([name, operation]) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, name)), h("td", { class: "text narrow" }, operation.side === "both" ? operation.kind : `${operation.kind}, ${operation.side} only`),
        h("td", { class: "text formula-cell" }, operation.formula ? drawing(operation.formula, null) : h("code", {}, operation.latex)), h("td", { class: "text narrow types" }, operation.types.map((type) => h("div", {}, type))), h("td", { class: "text" }, operation.doc))))))),
  ];
}

function statisticsTable(run, arm) {
  const stats = run.data.statistics[arm];
  const bounded = stats.filter((entry) => entry.trained >= 5 && entry.low !== null);
  const low = Math.min(...bounded.map((entry) => entry.low));
  const high = Math.max(...bounded.map((entry) => Math.min(entry.high, 3 * entry.mean)));
  const generations = run.data.generations[arm]?.length ?? 0;
  const line = (entry) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, entry.name)), h("td", {}, String(entry.proposed)), h("td", {}, String(entry.trained)),
    h("td", {}, entry.trained && arm !== "random" ? percent(entry.parents / entry.trained, 0) : "–"), h("td", {}, shown(entry.mean)), h("td", {}, entry.low === null ? "–" : `${shown(entry.low)} to ${shown(entry.high)}`),
    h("td", {}, bounded.length ? interval(entry, low, high) : null), h("td", {}, generations > 1 && entry.trained ? sparkline(entry) : null));
  return wide(`Carriers in ${armName(arm)}`, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Operation"),
    ["Evaluated", "Trained", "Survived", "Mean fitness", "95 % interval"].map((name) => h("th", { scope: "col" }, name)), h("th", { scope: "col", class: "text" }, "Fitness of carriers"), h("th", { scope: "col", class: "text" }, "Share by generation"))), h("tbody", {}, stats.map(line))));
}

function interval(entry, low, high) {
  if (entry.mean === null) return null;
  const at = (value) => Math.max(4, Math.min(176, 4 + ((value - low) / (high - low || 1)) * 172)).toFixed(1);
  return svg("svg", { class: "strip", viewBox: "0 0 180 20", width: 180, height: 20, "aria-hidden": "true" },
    svg("line", { class: "grid", x1: 0, x2: 180, y1: 10, y2: 10 }),
    entry.others === null ? null : svg("line", { class: "axis", x1: at(entry.others), x2: at(entry.others), y1: 3, y2: 17 }),
    entry.low === null ? null : svg("line", { x1: at(entry.low), x2: at(entry.high), y1: 10, y2: 10, stroke: "var(--evolve)", "stroke-width": 4, "stroke-opacity": 0.45 }),
    svg("circle", { cx: at(entry.mean), cy: 10, r: 4, fill: "var(--evolve)" }));
}

function sparkline(entry) {
  const width = 120;
  const step = entry.shares.length > 1 ? width / (entry.shares.length - 1) : 0;
  const points = entry.shares.flatMap((share, place) => (share === null ? [] : [`${(place * step).toFixed(1)},${(19 - 18 * share).toFixed(1)}`]));
  return svg("svg", { viewBox: "0 -1 120 22", width, height: 22, role: "img", "aria-label": `share from ${percent(entry.shares[0], 0)} to ${percent(entry.shares.at(-1), 0)}` },
    svg("line", { class: "grid", x1: 0, x2: width, y1: 19, y2: 19 }), svg("polyline", { class: "line thin", points: points.join(" "), stroke: "var(--evolve)" }));
}
