// Several runs side by side.

const RUN_COLOURS = ["--evolve", "--random", "--method", "--Vector-line", "--Logits-line", "--alone"];

function comparePage(runs) {
  const line = (value) => runs.map((run, place) => ({ name: run.name, colour: RUN_COLOURS[place % RUN_COLOURS.length], dash: DASHES[Math.floor(place / RUN_COLOURS.length) % DASHES.length], points: value(run.data.generations[run.main] ?? []) }));
  const charts = [
    lineChart({ title: "Best fitness so far", note: "Lower is better; comparable where pair, data and fitness are the same.", x: "generation", y: "fitness", series: line(bestSoFar) }),
    lineChart({ title: "Median fitness", note: "", x: "generation", y: "fitness", series: line((found) => found.flatMap((g) => (g.median === null ? [] : [[g.number, g.median]]))) }),
    lineChart({ title: "Diversity", note: "", x: "generation", y: "Jaccard distance", series: line((found) => found.flatMap((g) => (g.diversity === null ? [] : [[g.number, g.diversity]]))) }),
  ].filter(Boolean);
  return [
    charts.length ? section("The searches", h("div", { class: "charts" }, charts)) : null,
    section("Results", wide("Results", h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), runs.map((run) => h("th", { scope: "col" }, h("a", { href: run.href("overview") }, run.name))))),
      h("tbody", {}, resultRows(runs).map(([name, values]) => h("tr", {}, h("th", { scope: "row" }, name), values.map((value) => h("td", {}, value)))))))),
    section("What differs", differing(runs)),
  ];
}

function resultRows(runs) {
  const names = [...new Set(runs.flatMap((run) => run.data.final?.rows.map((entry) => entry.name) ?? []))];
  const accuracy = (run, name) => { const entry = run.data.final?.rows.find((other) => other.name === name); return entry?.mean === undefined || entry.mean === null ? "–" : `${shown(entry.mean, 2)} ± ${shown(entry.std, 2)} %`; };
  return [
    ["evaluations", runs.map((run) => String(run.count))],
    ["generations", runs.map((run) => String(run.data.generations[run.main]?.length ?? 0))],
    ["winner's fitness", runs.map((run) => (run.data.winner ? shown(run.fitness(run.data.winner)) : "–"))],
    ...names.map((name) => [`${name}, test ${runs[0].data.quality}`, runs.map((run) => accuracy(run, name))]),
  ];
}

function differing(runs) {
  const facts = runs.map((run) => new Map(run.data.facts));
  const names = [...new Set(facts.flatMap((map) => [...map.keys()]))].filter((name) => new Set(facts.map((map) => map.get(name))).size > 1);
  if (!names.length) return h("p", {}, "Nothing: the runs had the same configuration.");
  return wide("What differs", h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), runs.map((run) => h("th", { scope: "col", class: "text" }, run.name)))),
    h("tbody", {}, names.map((name) => h("tr", {}, h("th", { scope: "row" }, name), facts.map((map) => h("td", { class: "text" }, map.get(name) ?? "–")))))));
}
