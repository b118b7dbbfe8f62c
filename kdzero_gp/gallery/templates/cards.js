// Cards: the winner's stands in the page's data. The others lie beside it, compressed, or come from the live view's
// server, one at a time.

const OPENED = 8; // chunks that are kept open
const openedChunks = new Map();

async function loadCard(run, key) {
  if (Object.hasOwn(run.data.cards, key)) return run.data.cards[key];
  if (run.data.at !== undefined) return askForCard(run, key);
  const place = run.packedAt.get(key);
  if (place === undefined) return null;
  const fields = await openChunk(run, Math.floor(place / run.data.packed.size));
  return Object.fromEntries(Object.entries(fields).filter(([, values]) => Object.hasOwn(values, key)).map(([name, values]) => [name, values[key]]));
}

async function askForCard(run, key) {
  if (!/^(evolve|random)\/\d{1,12}$/.test(key)) return null;
  const answer = await fetch(`card/${run.data.at}/${key}`, { cache: "no-store" });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.json();
}

function openChunk(run, number) {
  const name = `${run.place}/${number}`;
  if (!openedChunks.has(name)) {
    if (openedChunks.size >= OPENED) openedChunks.delete(openedChunks.keys().next().value);
    openedChunks.set(name, unpacked(run.data.packed.chunks[number]));
  }
  return openedChunks.get(name);
}

async function unpacked(text) {
  if (typeof DecompressionStream === "undefined") throw new Error("this browser cannot open compressed data; Chromium 80, Firefox 113, Safari 16.4 and later ones can");
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}
