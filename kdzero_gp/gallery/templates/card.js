// The card of one distiller: drawing, formula, text, what was measured, and what it came from and led to.

function cardPage(run, key) {
  const indices = run.byPlace.get(key);
  if (!indices) return [h("p", { class: "warn" }, `This run has no distiller ${key}.`)];
  const i = indices.at(-1);
  const above = h("div", { class: "drawn" }, h("p", { class: "quiet", role: "status" }, "Opening the drawing …"));
  const below = h("div", {});
  const end = h("div", {});
  loadCard(run, key).then((card) => {
    above.replaceChildren(...drawn(run, key, card).filter(Boolean));
    below.replaceChildren(...copies(card ?? {}).filter(Boolean));
    if (card?.drawing) end.replaceChildren(colourKey());
  }).catch((error) => above.replaceChildren(h("p", { class: "warn" }, `The drawing cannot be opened: ${error.message}.`)));
  return [
    h("p", { class: "quiet" }, `Proposed in generation ${run.rows.generation[i]} by ${run.operator(i)}; status: ${run.status(i)}.`),
    h("div", { class: "card" }, above, formulaOf(run.canonical(i), run.rows.calibration[i], run.operations), copyable("Text form", run.rows.tree[i]), below),
    measured(run, indices),
    run.error(i) ? section("What went wrong", h("pre", { tabindex: 0, role: "region", "aria-label": "Error message" }, run.error(i))) : null,
    parentsSection(run, key),
    relatives(run, "Children", run.children.get(key) ?? [], "made from this one"),
    relatives(run, "All ancestors", run.ancestors(key), "nearest first"),
    end,
  ];
}

// The drawing and what is to be said of it; no card stands for a distiller beyond those that the page draws.
function drawn(run, key, card) {
  if (!card) return [h("p", { class: "quiet" }, `${run.data.drawn} of this run's ${run.data.distillers} distillers are drawn here, the most important ones. All are drawn by `, h("code", {}, "python -m kdzero_gp.browse RUN"), ", this one first with ", h("code", {}, `--draw ${key}`), "; very long runs also need ", h("code", {}, "--draw-most N"), ".")];
  return [
    card.drawing ? drawing(card.drawing, `Drawing of ${nameOf(key)}`) : null,
    card.readings ? readingsNote() : null,
    card.drawing && !card.readings ? h("p", { class: "quiet" }, card.unread ?? ["Values and gradients at the nodes are kept for a run's leaders; ", h("code", {}, "python -m kdzero_gp.browse RUN --probe"), " measures them for every distiller."]) : null,
    card.problem ? h("p", { class: "warn" }, card.problem) : null,
  ];
}

function readingsNote() {
  return h("p", { class: "quiet" }, "|x|: size of the student's value at a node on a probe batch. |∇|: norm of the loss's gradient there. Grey: constant over the batch, or reached by no gradient.");
}

function copies(card) {
  const parts = [
    card.file ? copyButton("Copy best.json", card.file) : null,
    card.python ? copyButton("Copy Python module", card.python) : null,
    card.latex ? copyButton("Copy LaTeX", card.latex) : null,
  ].filter(Boolean);
  const aligned = card.aligned?.length ? h("p", { class: "quiet" }, `A learned aligner bridges the shapes at ${card.aligned.join(", ")}; it trains with the student and is thrown away afterwards.`) : null;
  return [parts.length ? h("p", { class: "buttons" }, parts) : null, aligned];
}

function measured(run, indices) {
  const names = Object.keys(run.rows.parts).filter((name) => indices.some((i) => run.rows.parts[name][i] !== null));
  const head = ["Rung", "Status", "Fitness", ...names.map((name) => name.replaceAll("_", " ")), "Size", "Depth", "Steps", "Seconds", "Calibration of the terms"];
  const line = (i) => h("tr", {}, h("th", { scope: "row" }, String(run.rows.rung[i])), h("td", { class: "text narrow" }, run.status(i)), h("td", {}, shown(run.rows.fitness[i])),
    names.map((name) => h("td", {}, shown(run.rows.parts[name][i]))), h("td", {}, String(run.rows.size[i])), h("td", {}, String(run.rows.depth[i])), h("td", {}, String(run.rows.steps[i])), h("td", {}, shown(run.rows.seconds[i], 2)),
    h("td", {}, run.rows.calibration[i].map((factor, place) => [place ? ", " : "", h("span", { title: String(factor) }, typeof factor === "number" ? String(Number(factor.toPrecision(3))) : factor)])));
  return section("Measured", wide("Measured", h("table", {}, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col", class: name === "Status" ? "text" : null }, name)))), h("tbody", {}, indices.map(line)))));
}

function parentsSection(run, key) {
  const parents = run.parents(key);
  if (!parents.length) return null;
  const child = run.rows.tree[run.latest(key)];
  return section("What variation changed", parents.map((parent) => {
    const i = run.latest(parent);
    if (i === undefined) return h("p", {}, `Parent ${nameOf(parent)} is not in the run's records.`);
    const [own, old] = [parseTextForm(child), parseTextForm(run.rows.tree[i])];
    const parts = own && old ? difference(own, old) : { added: [], removed: [] };
    return h("div", { class: "difference" },
      h("p", {}, "Against ", h("a", { href: run.card(parent) }, nameOf(parent)), `, fitness ${shown(run.rows.fitness[i])}:`),
      h("p", { class: "compared" }, h("span", { class: "quiet" }, "parent "), marked(run.rows.tree[i], parts.removed, "del")),
      h("p", { class: "compared" }, h("span", { class: "quiet" }, "this one "), marked(child, parts.added, "ins")));
  }));
}

function relatives(run, title, keys, note) {
  if (!keys.length) return null;
  const shownKeys = keys.slice(0, 400);
  return section(title, h("p", { class: "quiet" }, `${keys.length}, ${note}${keys.length > shownKeys.length ? `; the first ${shownKeys.length} are listed` : ""}.`),
    h("ul", { class: "relatives" }, shownKeys.map((key) => {
      const i = run.latest(key);
      return h("li", {}, h("a", { href: run.card(key) }, nameOf(key)), h("span", { class: "quiet" }, ` generation ${run.rows.generation[i]}, ${run.operator(i)}, fitness ${shown(run.rows.fitness[i])} `), h("code", {}, run.rows.tree[i].slice(0, 300)));
    })));
}
