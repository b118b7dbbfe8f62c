// The text form of a distiller as nodes {symbol, children, start, end, text}; null where it is none.

const LONGEST_PARSED = 20000;

function parseTextForm(text) {
  if (text.length > LONGEST_PARSED) return null;
  const token = /\s*([^\s(),]+|[(),])/y;
  const open = [];
  let root = null;
  let waiting = null; // the node whose bracket may follow
  let match;
  while ((match = token.exec(text)) !== null) {
    const word = match[1];
    const end = token.lastIndex;
    if (word === "(") {
      if (!waiting) return null;
      open.push(waiting);
      waiting = null;
    } else if (word === ")") {
      const closed = open.pop();
      if (!closed) return null;
      closed.end = end;
      closed.text = text.slice(closed.start, end);
      waiting = null;
    } else if (word === ",") {
      if (!open.length) return null;
      waiting = null;
    } else {
      waiting = { symbol: word, children: [], start: end - word.length, end, text: word };
      if (open.length) open[open.length - 1].children.push(waiting);
      else if (root) return null;
      else root = waiting;
    }
  }
  return root && !open.length && text.slice(root.end).trim() === "" ? root : null;
}

const isNumber = (node) => node.children.length === 0 && /^[-+]?[\d.]/.test(node.symbol);
