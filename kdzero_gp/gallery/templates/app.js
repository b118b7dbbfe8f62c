// Which page is shown, by the address behind the #; and, in the live view, news from the server.

const PAGES = { overview: "Overview", distillers: "All distillers", lineage: "Lineage", operations: "Operations" };
const tableStates = new Map();
let runs = [];
let table = null;
let firstView = true;

function route() {
  const [place, page = "overview", ...more] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  if (place === "compare" && runs.length > 1) return { page: "compare" };
  const run = runs[Number(place) || 0] ?? runs[0];
  return { run, page: page === "distiller" || Object.hasOwn(PAGES, page) ? page : "overview", key: more.join("/") };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function navigation({ run, page }) {
  const link = (href, text, current) => h("li", {}, h("a", { href, "aria-current": current ? "page" : null }, text));
  const others = runs.length > 1 ? h("nav", { "aria-label": "Runs" }, h("ul", { class: "runs" }, link("#/compare", "Side by side", page === "compare"), runs.map((other) => link(other.href("overview"), other.name, other === run)))) : null;
  const own = run ? h("nav", { "aria-label": "Pages" }, h("ul", { class: "pages" }, Object.entries(PAGES).map(([name, text]) => link(run.href(name), text, page === name || (page === "distiller" && name === "distillers"))))) : null;
  return [others, own];
}

function heading({ run, page, key }) {
  if (page === "compare") return ["Runs side by side", ""];
  if (!run) return ["Distillers", ""];
  const pair = run.data.facts.find(([name]) => name === "teacher → student")?.[1].replace("->", "→");
  if (page === "distiller") return [`Distiller ${nameOf(key)}`, run.name];
  return [run.name, [pair, PAGES[page].toLowerCase()].filter(Boolean).join(" · ")];
}

function content({ run, page, key }) {
  if (page === "compare") return comparePage(runs);
  if (!run) return [h("p", { class: "note" }, "No run can be shown yet.")];
  if (page === "distillers") {
    if (!tableStates.has(run.place)) tableStates.set(run.place, { sort: "fitness", descending: false, filters: {} });
    table = new DistillerTable(run, tableStates.get(run.place));
    return [table.element];
  }
  return { overview: () => overviewPage(run), lineage: () => lineagePage(run), operations: () => operationsPage(run), distiller: () => cardPage(run, key) }[page]();
}

function view() {
  const current = route();
  table = null;
  const [title, subtitle] = heading(current);
  document.title = `${title} – distillers`;
  document.getElementById("navigation").replaceChildren(...navigation(current).filter(Boolean));
  document.getElementById("title").textContent = title;
  document.getElementById("subtitle").textContent = subtitle;
  document.getElementById("content").replaceChildren(...content(current).flat(Infinity).filter(Boolean));
  table?.draw();
  return current;
}

function moved() {
  view();
  window.scrollTo(0, 0);
  if (!firstView) document.getElementById("title").focus({ preventScroll: true });
  firstView = false;
}

function show(data) {
  runs = (data?.runs ?? []).map((run, place) => new Run(run, place));
}

// What the reader does must not be undone by news: the table keeps its place, and a card in reading is left alone.
function update(data) {
  const place = table && { top: table.scroller.scrollTop, left: table.scroller.scrollLeft, focus: document.activeElement?.getAttribute("aria-label") };
  const scrolled = window.scrollY;
  const before = route();
  const readingCard = before.page === "distiller" && before.run?.byPlace.has(before.key);
  show(data);
  if (readingCard) return;
  view();
  window.scrollTo(0, scrolled);
  if (!place || !table) return;
  [table.scroller.scrollTop, table.scroller.scrollLeft] = [place.top, place.left];
  table.draw();
  if (place.focus) [...document.querySelectorAll("[aria-label]")].find((element) => element.getAttribute("aria-label") === place.focus)?.focus({ preventScroll: true });
}

async function follow() {
  const status = document.getElementById("live");
  let tag = null;
  for (let wait = 0; ; ) {
    try {
      const answer = await fetch("data.json", { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.status === 200) {
        const data = await answer.json();
        tag = answer.headers.get("ETag");
        if (runs.length) update(data);
        else {
          show(data);
          view();
        }
        const problems = data.problems.join(" ");
        status.textContent = problems || `Live: ${runs.map((run) => `${run.name} has ${run.count} evaluations`).join("; ")}.`;
        status.classList.toggle("warn", Boolean(problems));
      } else if (answer.status !== 304) throw new Error(`the server answered ${answer.status}`);
      wait = 1500;
    } catch (error) {
      status.textContent = `No news: ${error.message}. The page goes on trying.`;
      status.classList.add("warn");
      tag = null;
      wait = Math.min(15000, Math.max(3000, 2 * wait));
    }
    await new Promise((resolve) => { setTimeout(resolve, wait); });
  }
}

show(JSON.parse(document.getElementById("data").textContent));
window.addEventListener("hashchange", moved);
moved();
if (document.documentElement.dataset.live === "yes") follow();
