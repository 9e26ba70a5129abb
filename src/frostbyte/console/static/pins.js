// Which key a plane's log has, as this browser learned it: the first that it sees is kept, and another one is told.
// (The way of SSH's known_hosts.) What is kept is one entry of the browser's storage for each tenant of this origin.

const PLACE = "frostbyte-log-key:";
const ROOTS = 200; // checkpoints that are remembered; two of one size must have one root

/** What this browser knows of one plane's log. */
export class Pins {
  constructor(storage, tenant) {
    this.storage = storage;
    this.place = PLACE + tenant;
    this.kept = this.#read();
  }

  /** What a key is to this browser: `new`, `known` or `changed`. */
  meet(key) {
    if (this.kept === null) return "new";
    return this.kept.key === key ? "known" : "changed";
  }

  /** Keeps a key that is the first, once something was proven with it. */
  keep(key, now = new Date()) {
    this.#keep({ key, since: now.toISOString(), compared: false, former: [], roots: {} });
  }

  /** A person compared the key with what its owner says. */
  compared() {
    this.#keep({ ...this.kept, compared: true });
  }

  /** A person takes another key in place of the kept one, which stays known as a former one. */
  replace(key, now = new Date()) {
    const former = [...(this.kept?.former ?? []), ...(this.kept ? [this.kept.key] : [])];
    this.#keep({ key, since: now.toISOString(), compared: true, former, roots: {} });
  }

  /** The largest checkpoint that is remembered: `{size, root}`; null where none is. */
  newest() {
    const size = Math.max(...Object.keys(this.kept?.roots ?? {}).map(Number));
    return Number.isFinite(size) ? { size, root: this.kept.roots[size] } : null;
  }

  /** Remembers a checkpoint that was signed by the kept key; false where one of this size had another root. */
  remember(size, root) {
    const before = this.kept.roots[size];
    if (before !== undefined) return before === root;
    const roots = Object.entries({ ...this.kept.roots, [size]: root }).slice(-ROOTS);
    this.#keep({ ...this.kept, roots: Object.fromEntries(roots) });
    return true;
  }

  #read() {
    try {
      const kept = JSON.parse(this.storage.getItem(this.place));
      return typeof kept?.key === "string" && Array.isArray(kept.former) && typeof kept.roots === "object" ? kept : null;
    } catch {
      return null;
    }
  }

  #keep(kept) {
    this.kept = kept;
    try {
      this.storage.setItem(this.place, JSON.stringify(kept));
    } catch {
      // no room, or none allowed: what was learned lasts as long as this page
    }
  }
}
