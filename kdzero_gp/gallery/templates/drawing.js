// SVG that the program drew, put into the page. It is read as XML, in which nothing runs and nothing is guessed.

function drawing(text, label) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  const root = parsed.documentElement;
  if (root.namespaceURI !== SVG || root.localName !== "svg") return h("p", { class: "warn" }, "The drawing cannot be read.");
  const element = document.importNode(root, true);
  // Its size in points would be larger than the text around it; a small one must not be blown up.
  const width = parseFloat(element.getAttribute("width"));
  if (width > 0) element.style.width = `${Math.round(width * 1.05)}px`;
  element.removeAttribute("width");
  element.removeAttribute("height");
  return label === null ? element : h("div", { class: "drawing", tabindex: 0, role: "region", "aria-label": label }, element);
}

// Makes every node of class distiller-ARM-NUMBER a link to that distiller's card.
function linkNodes(element, hrefOf, labelOf) {
  element.setAttribute("role", "group");
  for (const node of element.querySelectorAll("g.distiller")) {
    const match = /\bdistiller-([a-z]+)-(\d+)\b/.exec(node.getAttribute("class"));
    if (!match) continue;
    const place = `${match[1]}/${match[2]}`;
    const link = svg("a", { href: hrefOf(place), "aria-label": labelOf(place) });
    node.replaceWith(link);
    link.append(node);
  }
  return element;
}
