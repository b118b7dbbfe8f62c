// A run at a glance: what it found, how the search went, and what that cost.

function overviewPage(run) {
  const winner = run.data.winner;
  return [
    tiles(run),
    winner ? winnerSection(run, winner) : h("p", { class: "note" }, emptyText(run)),
    run.data.final ? finalSection(run) : null,
    searchSection(run),
    operatorSection(run),
    section("About this run", h("dl", { class: "facts" }, run.data.facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))),
  ];
}

function emptyText(run) {
  if (!run.count) return "Nothing has been evaluated yet.";
  return "No distiller has been trained to the end yet. The table of all distillers says what became of the candidates.";
}

function tiles(run) {
  const final = run.data.final?.rows.find((line) => line.place === run.data.winner && line.mean !== null);
  const generations = run.data.generations[run.main]?.length ?? 0;
  const trained = run.rows.fitness.filter((f) => f !== null).length;
  const failed = count(run, (status) => status !== "ok" && !status.startsWith("rejected"));
  const entries = [
    final ? [`Test ${run.data.quality} of the winner`, `${shown(final.mean, 2)} ± ${shown(final.std, 2)} %`] : null,
    final && final.gain !== null ? ["Gain over the student alone", `${signed(final.gain)} points`] : null,
    run.data.winner ? [run.data.finished ? "Fitness of the winner" : "Best fitness so far", shown(run.fitness(run.data.winner))] : null,
    ["Generations", String(generations)],
    ["Trained", `${trained} of ${run.count}`],
    ["Failed", String(failed)],
  ];
  return h("ul", { class: "tiles" }, entries.filter(Boolean).map(([name, value]) => h("li", {}, h("span", { class: "quiet" }, name), h("strong", {}, value))));
}

function count(run, wanted) {
  const matching = run.rows.status.names.map(wanted);
  return run.rows.status.codes.reduce((sum, code) => sum + (matching[code] ? 1 : 0), 0);
}

function winnerSection(run, key) {
  const i = run.latest(key);
  const card = run.data.cards[key] ?? {};
  const calibration = run.rows.calibration[i] ?? [];
  return section(run.data.finished ? "The winner" : "Best so far",
    h("div", { class: "card" },
      card.drawing ? drawing(card.drawing, `Drawing of ${nameOf(key)}`) : null,
      card.readings ? readingsNote() : null,
      card.problem ? h("p", { class: "warn" }, card.problem) : null,
      formulaOf(run.canonical(i), calibration, run.operations),
      copyable("Text form", run.rows.tree[i]),
      h("p", {}, h("a", { href: run.card(key) }, `Everything about ${nameOf(key)}`), " · ", h("a", { href: run.href("lineage") }, "where it comes from"))),
    colourKey());
}

function copyable(label, text) {
  return h("div", { class: "copyable" }, h("pre", { tabindex: 0, role: "region", "aria-label": label }, text), copyButton("Copy text", text));
}

function colourKey() {
  const names = ["Map", "Rows", "Vector", "Logits", "PerSample", "Loss", "constant"];
  return h("ul", { class: "key", "aria-label": "Colours of the drawings" },
    names.map((name) => h("li", { class: `swatch type-${name}` }, name)),
    ["student", "teacher"].map((side) => h("li", {}, h("span", { class: `line-key ${side}` }), side)));
}

function finalSection(run) {
  const { rows, facts } = run.data.final;
  const line = (entry) => h("tr", {},
    h("th", { scope: "row" }, entry.place ? h("a", { href: run.card(entry.place) }, entry.name) : entry.name),
    h("td", {}, shown(entry.mean, 2)), h("td", {}, shown(entry.std, 2)), h("td", {}, signed(entry.gain)),
    h("td", {}, shown(entry.p_value, 3)), h("td", {}, accuracyStrip(rows, entry)),
    h("td", { class: "text" }, entry.tree ? h("code", {}, entry.tree) : "–"));
  const head = ["Mean %", "Std", "Gain", "p"].map((name) => h("th", { scope: "col" }, name));
  return section("Final table",
    h("p", { class: "quiet" }, `Retrained from fresh seeds and tested once; ${facts.map(([name, value]) => `${name}: ${value}`).join("; ")}. Gain: against the student alone. p: paired test against the baseline. Points: seeds; bar: mean ± standard deviation.`),
    wide("Final table", h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Distiller"), head, h("th", { scope: "col", class: "text" }, `Test ${run.data.quality}`), h("th", { scope: "col", class: "text" }, "Text form"))), h("tbody", {}, rows.map(line)))));
}

function accuracyStrip(rows, entry) {
  const all = rows.flatMap((other) => other.accuracy);
  if (entry.mean === null || !all.length) return null;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const at = (value) => (8 + ((value - low) / (high - low || 1)) * 164).toFixed(1);
  const std = entry.std ?? 0;
  const colour = lookup({ evolved: "--evolve", random: "--random", method: "--method" }, entry.kind, "--alone");
  return svg("svg", { class: "strip", viewBox: "0 0 180 22", width: 180, height: 22, role: "img", "aria-label": `Seeds: ${entry.accuracy.map((value) => shown(value, 2)).join(", ")} %` },
    svg("line", { class: "grid", x1: 0, x2: 180, y1: 11, y2: 11 }),
    svg("rect", { x: at(Math.max(low, entry.mean - std)), y: 7, width: Math.max(1, at(Math.min(high, entry.mean + std)) - at(Math.max(low, entry.mean - std))), height: 8, rx: 2, fill: `var(${colour})`, "fill-opacity": 0.3 }),
    entry.accuracy.map((value) => svg("circle", { cx: at(value), cy: 11, r: 3, fill: `var(${colour})`, "fill-opacity": 0.65 })),
    svg("line", { x1: at(entry.mean), x2: at(entry.mean), y1: 3, y2: 19, stroke: `var(${colour})`, "stroke-width": 2 }));
}

function searchSection(run) {
  const generations = Object.entries(run.data.generations);
  const line = (value, options = {}) => generations.map(([arm, found]) => ({
    name: armName(arm), colour: armColour(arm), dash: arm === "random" ? DASHES[1] : null,
    points: found.flatMap((g) => { const y = value(g, arm); return typeof y === "number" ? [[g.number, y]] : []; }), ...options,
  }));
  const share = (names) => (g) => (g.funnel.proposed ? names.reduce((sum, name) => sum + lookup(g.funnel, name, 0), 0) / g.funnel.proposed : null);
  const perGeneration = medians(run);
  const charts = [
    fitnessChart(run),
    frontChart(run),
    lineChart({ title: "Diversity", note: "Mean share of operations and taps that two members do not have in common.", x: "generation", y: "Jaccard distance", series: line((g) => g.diversity) }),
    lineChart({ title: "Answered without training", note: "Proposals whose form or effect an earlier one had.", x: "generation", y: "share of proposals", percents: true, most: 1, series: line(share(["duplicate", "functional_duplicate"])) }),
    lineChart({ title: "Rejected or failed", note: "Proposals that the examinations turned down, or whose training failed.", x: "generation", y: "share of proposals", percents: true, most: 1, series: line((g, arm) => perGeneration.get(arm)?.get(g.number)?.lost ?? null) }),
    lineChart({ title: "Time per candidate", note: "Median over the trained candidates of a generation.", x: "generation", y: "seconds", series: line((g, arm) => perGeneration.get(arm)?.get(g.number)?.seconds ?? null) }),
    lineChart({ title: "Training saved by racing", note: "", x: "generation", y: "share of steps", percents: true, most: 1, series: run.rungs > 1 ? line((g) => g.avoided) : [] }),
    funnelFigure(run),
    shrinkChart(run),
  ].filter(Boolean);
  return charts.length ? section("The search", h("div", { class: "charts" }, charts)) : null;
}

function fitnessChart(run) {
  const series = [];
  for (const [arm, found] of Object.entries(run.data.generations)) {
    const colour = armColour(arm);
    series.push({ name: `${armName(arm)}: best so far`, colour, dash: arm === "random" ? DASHES[1] : null, points: bestSoFar(found) });
    series.push({ name: `${armName(arm)}: median and middle half`, colour, thin: true, dash: DASHES[2],
      points: found.flatMap((g) => (g.median === null ? [] : [[g.number, g.median]])),
      band: found.flatMap((g) => (g.low === null || g.high === null ? [] : [[g.number, g.low, g.high]])) });
  }
  return lineChart({ title: "Fitness over the generations", note: "Lower is better.", x: "generation", y: "fitness", series });
}

function bestSoFar(generations) {
  let best = Infinity;
  return generations.flatMap((g) => {
    if (g.best === null) return [];
    best = Math.min(best, g.best);
    return [[g.number, best]];
  });
}

function frontChart(run) {
  const points = [];
  for (const indices of run.byPlace.values()) {
    const i = indices.at(-1);
    if (run.arm(i) === run.main && typeof run.rows.fitness[i] === "number" && run.rows.rung[i] === run.rungs - 1) points.push([sizeOf(run.canonical(i)), run.rows.fitness[i]]);
  }
  const links = run.data.front.flatMap((key) => {
    const i = run.latest(key);
    if (i === undefined) return [];
    const size = sizeOf(run.canonical(i));
    return [{ x: size, y: run.rows.fitness[i], href: run.card(key), label: `${nameOf(key)}: fitness ${shown(run.rows.fitness[i])}, ${size} nodes` }];
  });
  return scatterChart({ title: "Fitness and size", note: "Every trained distiller of the main search; the marked ones are the front and open their cards.", x: "nodes", y: "fitness", points, links });
}

const sizeOf = (text) => (text.match(/[^\s(),]+/g) ?? []).length;

function medians(run) {
  const found = new Map(run.arms.map((arm) => [arm, new Map()]));
  for (let i = 0; i < run.count; i += 1) {
    const arm = found.get(run.arm(i));
    if (!arm.has(run.rows.generation[i])) arm.set(run.rows.generation[i], { all: 0, bad: 0, times: [] });
    const entry = arm.get(run.rows.generation[i]);
    entry.all += 1;
    if (run.status(i) !== "ok") entry.bad += 1;
    else if (typeof run.rows.seconds[i] === "number") entry.times.push(run.rows.seconds[i]);
  }
  for (const arm of found.values()) for (const entry of arm.values()) Object.assign(entry, { lost: entry.bad / entry.all, seconds: median(entry.times) });
  return found;
}

const FUNNEL = {
  proposed: "proposed", duplicate: "same canonical form as an earlier one", too_expensive: "too expensive",
  non_finite_loss: "loss not finite", no_gradient: "gradient zero or not finite",
  not_smaller_when_equal: "not smaller where student = teacher", no_progress: "does not move the student to the teacher",
  functional_duplicate: "same value and gradient as an earlier one", trained: "trained",
  "rung 1": "… on to the second rung", "rung 2": "… on to the third rung", "rung 3": "… on to the fourth rung",
  nan: "… diverged", error: "… failed", timeout: "… took too long", oom: "… out of memory", worker_lost: "… lost their worker",
};

function funnelFigure(run) {
  const arms = Object.keys(run.data.funnel);
  const found = new Set(arms.flatMap((arm) => Object.keys(run.data.funnel[arm])));
  const stages = [...Object.keys(FUNNEL).filter((stage) => found.has(stage)), ...[...found].filter((stage) => !Object.hasOwn(FUNNEL, stage))];
  if (!stages.length) return null;
  const most = Math.max(...arms.flatMap((arm) => Object.values(run.data.funnel[arm])), 1);
  const bars = (stage) => arms.map((arm) => {
    const value = lookup(run.data.funnel[arm], stage, 0);
    return h("td", { class: "bar-cell" }, svg("svg", { viewBox: "0 0 100 12", width: 100, height: 12, "aria-hidden": "true" }, svg("rect", { width: (100 * value) / most, height: 12, rx: 2, fill: `var(${armColour(arm)})` })), h("span", {}, String(value)));
  });
  return figure("What became of the proposals", "", wide("What became of the proposals", h("table", { class: "funnel" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Stage"), arms.map((arm) => h("th", { scope: "col", class: "text" }, armName(arm))))),
    h("tbody", {}, stages.map((stage) => h("tr", {}, h("th", { scope: "row" }, lookup(FUNNEL, stage, stage)), bars(stage)))))));
}

function shrinkChart(run) {
  const generations = run.data.generations[run.main] ?? [];
  const names = [...new Set(generations.flatMap((g) => Object.keys(g.weights)))].sort();
  const rows = names.map((name) => ({ name, cells: generations.map((g) => lookup(g.weights, name, 1)) }));
  return shadeChart({ title: "Shrinkage of the search space", note: "Sampling weight of the operations whose carriers were credibly worse: dark is 1, light is seldom drawn.", rows, columns: generations.length, value: "sampling weight" });
}

function operatorSection(run) {
  const stats = new Map();
  for (const [key, indices] of run.byPlace) {
    const i = indices.at(-1);
    if (run.arm(i) !== run.main) continue;
    const operatorName = run.operator(i);
    if (!stats.has(operatorName)) stats.set(operatorName, { name: operatorName, proposed: 0, trained: 0, judged: 0, better: 0, changes: [] });
    const entry = stats.get(operatorName);
    entry.proposed += 1;
    const own = run.rows.fitness[i];
    if (typeof own !== "number") continue;
    entry.trained += 1;
    const parents = run.parents(key).map((parent) => run.fitness(parent)).filter((f) => typeof f === "number");
    if (!parents.length) continue;
    const best = Math.min(...parents);
    entry.judged += 1;
    entry.changes.push(own - best);
    if (own < best) entry.better += 1;
  }
  if (!stats.size) return null;
  const rows = [...stats.values()].sort((a, b) => b.proposed - a.proposed);
  const head = ["Evaluated", "Trained", "Better than its parents", "Median change of fitness"].map((name) => h("th", { scope: "col" }, name));
  return section("Operators of the search", h("p", { class: "quiet" }, "Better: a lower fitness than the best of the parents. Negative changes are improvements."),
    wide("Operators of the search", h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Operator"), head)),
      h("tbody", {}, rows.map((entry) => h("tr", {}, h("th", { scope: "row" }, entry.name), h("td", {}, String(entry.proposed)), h("td", {}, percent(entry.trained / entry.proposed)),
        h("td", {}, entry.judged ? percent(entry.better / entry.judged) : "–"), h("td", {}, entry.changes.length ? signed(median(entry.changes), 4) : "–")))))));
}
