// Where the winner comes from.

function lineagePage(run) {
  const lineage = run.data.lineage;
  if (!lineage) return [h("p", { class: "note" }, emptyText(run))];
  const label = (key) => {
    const i = run.latest(key);
    return i === undefined ? nameOf(key) : `${nameOf(key)}, generation ${run.rows.generation[i]}, fitness ${shown(run.rows.fitness[i])}`;
  };
  const graph = lineage.drawing ? drawing(lineage.drawing, null) : null;
  return [
    h("p", {}, "All ancestors of ", h("a", { href: run.card(lineage.of) }, nameOf(lineage.of)), ", the oldest on top; the number below each is its fitness. Every distiller opens its card."),
    lineage.problem ? h("p", { class: "warn" }, lineage.problem) : null,
    graph ? h("div", { class: "drawing lineage", tabindex: 0, role: "region", "aria-label": "Lineage" }, linkNodes(graph, (key) => run.card(key), label)) : null,
    relatives(run, "The same as a list", run.ancestors(lineage.of), "nearest first"),
  ];
}
