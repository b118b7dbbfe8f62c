// What variation changed: the parts of a child that its parent lacks, and the other way round.

// Ranges [start, end) of both texts that differ. The trees are walked together from the root; where they part,
// the part that one side wraps around the other's is the difference, or else both parts are.
function difference(child, parent) {
  const added = [];
  const removed = [];
  const pairs = [[child, parent]];
  while (pairs.length) {
    const [a, b] = pairs.pop();
    if (a.text === b.text) continue;
    if (a.symbol === b.symbol && a.children.length === b.children.length && a.children.length) {
      a.children.forEach((node, position) => pairs.push([node, b.children[position]]));
      continue;
    }
    const inside = find(a, b.text);
    const around = find(b, a.text);
    if (inside) added.push([a.start, inside.start], [inside.end, a.end]);
    else if (around) removed.push([b.start, around.start], [around.end, b.end]);
    else {
      added.push([a.start, a.end]);
      removed.push([b.start, b.end]);
    }
  }
  return { added: added.filter(notEmpty).sort(byStart), removed: removed.filter(notEmpty).sort(byStart) };
}

function find(node, text) {
  const open = [...node.children];
  while (open.length) {
    const next = open.shift();
    if (next.text === text) return next;
    open.push(...next.children);
  }
  return null;
}

const notEmpty = ([start, end]) => end > start;
const byStart = (a, b) => a[0] - b[0];

// A text with its ranges marked as inserted or deleted, which screen readers tell too.
function marked(text, ranges, tag) {
  const pieces = [];
  let at = 0;
  for (const [start, end] of ranges) {
    pieces.push(text.slice(at, start), h(tag, {}, text.slice(start, end)));
    at = end;
  }
  return h("code", {}, pieces, text.slice(at));
}
