// One run's data by row and by place ("evolve/303": arm and number).

class Run {
  constructor(data, place) {
    this.data = data;
    this.place = place;
    this.name = data.name;
    this.rows = data.rows;
    this.count = data.rows.count;
    this.operations = data.operations;
    this.byPlace = new Map();
    this.children = new Map();
    this.packedAt = new Map(data.packed.places.map((key, at) => [key, at]));
    for (let i = 0; i < this.count; i += 1) {
      const key = this.placeOf(i);
      const known = this.byPlace.get(key);
      if (known) known.push(i);
      else {
        this.byPlace.set(key, [i]);
        for (const parent of new Set(this.rows.parents[i])) {
          const parentKey = `${this.arm(i)}/${parent}`;
          if (this.children.has(parentKey)) this.children.get(parentKey).push(key);
          else this.children.set(parentKey, [key]);
        }
      }
    }
    this.arms = [...new Set(this.rows.arm.codes)].map((code) => this.rows.arm.names[code]);
    this.main = this.arms.includes("evolve") || !this.arms.length ? "evolve" : this.arms[0];
    this.rungs = this.rows.rung.reduce((top, rung) => Math.max(top, rung), 0) + 1;
  }

  arm(i) { return this.rows.arm.names[this.rows.arm.codes[i]]; }
  operator(i) { return this.rows.operator.names[this.rows.operator.codes[i]]; }
  status(i) { return this.rows.status.names[this.rows.status.codes[i]]; }
  placeOf(i) { return `${this.arm(i)}/${this.rows.number[i]}`; }
  canonical(i) { return this.rows.canonical[i] ?? this.rows.tree[i]; }
  error(i) { const code = this.rows.error.rows[i]; return code === undefined ? null : this.rows.error.names[code]; }
  latest(key) { return this.byPlace.get(key)?.at(-1); }
  fitness(key) { const i = this.latest(key); return i === undefined ? null : this.rows.fitness[i]; }
  parents(key) { const i = this.latest(key); return i === undefined ? [] : [...new Set(this.rows.parents[i])].map((n) => `${this.arm(i)}/${n}`); }
  href(page, ...more) { return `#/${[this.place, page, ...more].map(encodeURIComponent).join("/")}`; }
  card(key) { const cut = key.lastIndexOf("/"); return this.href("distiller", key.slice(0, cut), key.slice(cut + 1)); }

  // Every ancestor, nearest first.
  ancestors(key) {
    const seen = new Set([key]);
    const waiting = [key];
    for (let at = 0; at < waiting.length; at += 1) {
      for (const parent of this.parents(waiting[at])) {
        if (!seen.has(parent) && this.byPlace.has(parent)) {
          seen.add(parent);
          waiting.push(parent);
        }
      }
    }
    return waiting.slice(1);
  }
}

const ARM_NAMES = { evolve: "evolution", random: "random search" };
const ARM_COLOURS = { evolve: "--evolve", random: "--random" };
const armName = (arm) => lookup(ARM_NAMES, arm, arm);
const armColour = (arm) => lookup(ARM_COLOURS, arm, "--alone");
const nameOf = (key) => `${armName(key.slice(0, key.lastIndexOf("/")))} ${key.slice(key.lastIndexOf("/") + 1)}`;
