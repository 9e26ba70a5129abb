// Checks the proof of a passage, here: in the browser with WebCrypto, and in node with the same code.
//
// docs/proof-format.md says what is checked and what each failure is called. Nothing is imported and nothing is asked of
// a server: bytes in, verdict out. What it cannot read it refuses (Unreadable), what the browser cannot do it says
// (Unsupported). It never calls a thing good that it did not compute.

const FORMATS = ["frostbyte-proof/1", "frostbyte-proof/2"];
const UTF8 = new TextEncoder();
const HALF_CHARACTER = /\p{Surrogate}/u;

/** The input is not what it should be: nothing can be said about it. */
export class Unreadable extends Error {}

/** This browser lacks what the check needs. */
export class Unsupported extends Error {}

/** What was checked, what is only attested by the plane, and what failed: `{name, where, message}` each. */
export class Verdict {
  checked = [];
  attested = [];
  failures = [];

  get ok() {
    return this.failures.length === 0;
  }

  fail(name, where, message) {
    this.failures.push({ name, where, message });
  }
}

/**
 * Check one proof.
 *
 * @param {string} text the proof's JSON as it came. It is read here, so that nothing in it is read in two ways.
 * @param {string|null} key the log's verifier key, known by another way; null takes the proof's own, and says so.
 * @param {{witnesses?: string[], earlierKeys?: string[], fileDigest?: Uint8Array, shown?: {chunk_id: string,
 *   doc_id: string, page: number, text: string}}} options `fileDigest` is the SHA-256 of the source file, `shown` what a
 *   page shows as this passage, `earlierKeys` those of the logs that the plane was restored from.
 * @returns {Promise<Verdict>}
 */
export async function verifyProof(text, key, { witnesses = [], earlierKeys = [], fileDigest, shown } = {}) {
  if (!globalThis.crypto?.subtle) {
    throw new Unsupported("Browsers check proofs only on pages that came over https, or from this computer itself.");
  }
  const proof = readProof(text);
  const verdict = new Verdict();
  if (key === null) {
    verdict.attested.push("the log's key: none was given, so the proof's own was used");
  }
  const log = await readKey(key ?? proof.public_key);
  const pinned = await Promise.all(earlierKeys.map(readKey));
  await checkLog(verdict, proof, log, pinned, await Promise.all(witnesses.map(readKey)));
  await checkAnswer(verdict, proof, shown);
  await checkSource(verdict, proof, fileDigest);
  return verdict;
}

/** SHA-256 of bytes. */
export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Bytes as lower-case hex. */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** By what people compare a verifier key: SHA-256 of its text, in hex, in groups of four. */
export async function fingerprint(key) {
  return hex(await sha256(UTF8.encode(key.trim()))).match(/.{4}/g).join(" ");
}

/** Canonical JSON (docs/proof-format.md, section 1), as text. */
export function canonical(value) {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value).sort();
    return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** RFC 6962 leaf. */
export function leafHash(bytes) {
  return sha256(joined([0], bytes));
}

/** The root that an audit path leads to (RFC 6962, section 2.1.1); null where path and place do not fit. */
export async function rootFromPath(leaf, index, size, path) {
  if (size <= 1 || path.length === 0) {
    return index === 0 && size === 1 && path.length === 0 ? leaf : null;
  }
  let half = 1;
  while (half * 2 < size) {
    half *= 2;
  }
  const sibling = path.at(-1);
  const left = index < half;
  const inner = await rootFromPath(leaf, left ? index : index - half, left ? half : size - half, path.slice(0, -1));
  if (inner === null) {
    return null;
  }
  return sha256(left ? joined([1], inner, sibling) : joined([1], sibling, inner));
}

/**
 * Whether a path shows that the log of the larger of two checkpoints begins with that of the smaller one (RFC 9162,
 * section 2.1.4.2): whoever changed an event under the smaller one, or took one out, finds no such path.
 *
 * @param {{size: number, root: Uint8Array}} old
 * @param {{size: number, root: Uint8Array}} whole
 * @param {Uint8Array[]} path
 */
export async function beginsWith(old, whole, path) {
  if (old.size === whole.size) {
    return path.length === 0 && same(old.root, whole.root);
  }
  if (!(old.size > 0 && old.size < whole.size) || path.length === 0) {
    return false;
  }
  let [place, last] = [old.size - 1, whole.size - 1];
  const up = () => ([place, last] = [Math.floor(place / 2), Math.floor(last / 2)]);
  while (place % 2 === 1) {
    up();
  }
  const hashes = place === 0 ? [old.root, ...path] : path; // where the old tree is perfect its root is known
  let [before, now] = [hashes[0], hashes[0]];
  for (const sibling of hashes.slice(1)) {
    if (last === 0) {
      return false;
    }
    if (place % 2 === 1 || place === last) {
      before = await sha256(joined([1], sibling, before));
      now = await sha256(joined([1], sibling, now));
      while (place % 2 === 0 && place !== 0) {
        up();
      }
    } else {
      now = await sha256(joined([1], now, sibling));
    }
    up();
  }
  return last === 0 && same(before, old.root) && same(now, whole.root);
}

/** What a plane answers for why one log begins with another: the hashes. Anything else is none (Unreadable). */
export function readPath(told) {
  return KINDS.object(told) && KINDS.hashes(told.path) ? told.path.map(unhex) : unreadable("a consistency path is none");
}

/** A root as it was kept. */
export function rootOf(text) {
  return KINDS.hash(text) ? unhex(text) : unreadable("a kept root is none");
}

/** A C2SP verifier key, name+hash+base64: type 1 signs a log's checkpoints, type 4 a witness's cosignatures. */
export async function readKey(text) {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim()) ?? unreadable("the key is none");
  const data = base64(encoded);
  const expected = hex((await sha256(joined(UTF8.encode(`${name}\n`), data))).slice(0, 4));
  if (data.length !== 33 || ![1, 4].includes(data[0]) || expected !== id) {
    unreadable("the key is damaged, or of another kind");
  }
  return { name, type: data[0], id, raw: data.slice(1), text: text.trim() };
}

/** A signed checkpoint, taken apart. */
export function readNote(note) {
  const cut = note.lastIndexOf("\n\n");
  const [origin, size, root] = note.slice(0, Math.max(cut, 0)).split("\n");
  const lines = note.slice(cut + 2).replace(/\n$/, "").split("\n");
  const whole = Number(size);
  if (cut < 0 || !origin || root === undefined || !/^[1-9][0-9]*$/.test(size) || !Number.isSafeInteger(whole)) {
    unreadable("a checkpoint is not a signed note");
  }
  const signatures = lines.map((line) => {
    const [, name, raw] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? unreadable("a checkpoint is not a signed note");
    return { name, raw: base64(raw) };
  });
  return { text: note.slice(0, cut + 1), origin, size: whole, root: bytes32(base64(root)), signatures };
}

/** Whether the log's key signed the note, or the witness's key cosigned it. */
export async function signedBy(note, key) {
  for (const { name, raw } of note.signatures) {
    const known = name === key.name && hex(raw.slice(0, 4)) === key.id;
    if (!known || (key.type === 1 && note.origin !== key.name)) {
      continue;
    }
    const time = key.type === 4 && raw.length >= 12 ? new DataView(raw.buffer).getBigUint64(4) : 0n;
    const message = key.type === 4 ? `cosignature/v1\ntime ${time}\n${note.text}` : note.text;
    if (await signs(key.raw, raw.slice(key.type === 4 ? 12 : 4), UTF8.encode(message))) {
      return true;
    }
  }
  return false;
}

async function signs(raw, signature, message) {
  let key;
  try {
    key = await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError" || error.name === "SyntaxError") {
      throw new Unsupported("This browser is too old to check Ed25519 signatures.");
    }
    return false; // no point of the curve: nothing is signed by it
  }
  return crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
}

// -- the log ----------------------------------------------------------------------------------------------------------

async function checkLog(verdict, proof, key, pinned, witnesses) {
  const note = readNote(proof.checkpoint);
  if (await signedBy(note, key)) {
    verdict.checked.push(`the checkpoint over ${note.size} events is signed by ${key.name}`);
  } else {
    verdict.fail("checkpoint_signature_wrong", "checkpoint", "not signed by the log's key");
  }
  for (const witness of witnesses) {
    if (await signedBy(note, witness)) {
      verdict.checked.push(`witness ${witness.name} cosigned the checkpoint`);
    } else {
      verdict.fail("cosignature_missing", `witness ${witness.name}`, "did not sign the newest checkpoint");
    }
  }
  const logs = await readLogs(verdict, proof, note, pinned);
  const chain = new Chain(verdict, proof.tenant_id);
  const before = verdict.failures.length;
  for (const item of proof.events) {
    const { event } = item;
    const where = `event ${event.event_id}`;
    const under = logs.get(item.log ?? 0) ?? unreadable("an event lies in a log that the proof does not show");
    if (!(await included(item, under))) {
      verdict.fail("edited", where, "is not in the log that was signed");
    }
    if (event.resource_id !== proof.answer.doc_id) {
      verdict.fail("chain_inconsistent", where, "is of another document");
    }
    chain.add(event);
  }
  chain.end();
  if (verdict.failures.length === before) {
    const where = logs.size === 1 ? "in that log" : `in these ${logs.size} logs`;
    verdict.checked.push(`${proof.events.length} events of the document: ${where}, and linked to each other`);
  }
}

/** The checkpoints by the numbers of their logs. The log after each but the newest must begin by naming it. */
async function readLogs(verdict, proof, newest, pinned) {
  const earlier = proof.earlier ?? [];
  if (earlier.some((item, at) => at > 0 && item.log !== earlier[at - 1].log + 1)) {
    unreadable("the logs of the proof do not follow each other");
  }
  const logs = new Map([[earlier.length ? earlier.at(-1).log + 1 : 0, newest]]);
  let following = newest;
  for (const item of [...earlier].reverse()) {
    const note = readNote(item.checkpoint);
    const key = await readKey(item.public_key);
    const where = `the log ${note.origin} of ${note.size} events`;
    const given = pinned.some((one) => one.text === key.text);
    if (!(await signedBy(note, key)) || (pinned.length && !given)) {
      verdict.fail("checkpoint_signature_wrong", where, "not signed by a key given for it");
    }
    const { event, sequence } = item.named_by;
    const said = event.details;
    const named =
      said.old_origin === note.origin &&
      said.old_size === note.size &&
      said.old_root === hex(note.root) &&
      said.old_key === hex(await sha256(UTF8.encode(key.text)));
    const first = event.type === "PLANE_RESTORED" && event.tenant_id === proof.tenant_id && sequence === 0;
    if (!named || !first || !(await included(item.named_by, following))) {
      verdict.fail("restore_unbound", where, "the log after it does not begin by naming it");
    } else if (given) {
      verdict.checked.push(`${where}: signed by a key given for it, named by the first event after it`);
    } else {
      verdict.attested.push(`that the plane was restored from ${where}, as the log after it says`);
    }
    logs.set(item.log, note);
    following = note;
  }
  return logs;
}

async function included(item, note) {
  const leaf = await leafHash(UTF8.encode(canonical(item.event)));
  return same(await rootFromPath(leaf, item.sequence, note.size, item.path.map(unhex)), note.root);
}

/** Follows a document's chain: each event names the newest before it, and begins with the hash that one ended with. */
class Chain {
  #newest = new Map();
  #early = [];

  constructor(verdict, tenant) {
    this.verdict = verdict;
    this.tenant = tenant;
  }

  add(event) {
    if (event.tenant_id !== this.tenant) {
      this.verdict.fail("wrong_tenant", `event ${event.event_id}`, "belongs to another tenant");
    }
    this.#follow(event, this.#early);
    this.#newest.set(event.event_id, [event.resource_id, event.details.output_hash ?? ""]);
  }

  /** All were added: judge those that got a smaller number than the one before (hosts' clocks may differ). */
  end() {
    for (const event of this.#early) {
      this.#follow(event, null);
    }
  }

  #follow(event, later) {
    const previous = event.previous_event_id;
    if (previous !== null && !this.#newest.has(previous) && later) {
      later.push(event);
      return;
    }
    const ended = previous === null ? [event.resource_id, ""] : this.#newest.get(previous);
    this.#newest.delete(previous);
    if (ended?.[0] !== event.resource_id || ended[1] !== (event.details.input_hash ?? "")) {
      const message = "does not begin with what the newest of its chain ended with";
      this.verdict.fail("chain_inconsistent", `event ${event.event_id}`, message);
    }
  }
}

// -- the passage ------------------------------------------------------------------------------------------------------

async function checkAnswer(verdict, proof, shown) {
  const { answer, attested } = proof;
  const events = inOrder(proof);
  const before = verdict.failures.length;
  const { chunk_id, page, start, end } = answer;
  const text_sha256 = hex(await sha256(UTF8.encode(answer.text)));
  const leaf = await leafHash(UTF8.encode(canonical({ chunk_id, page, start, end, text_sha256 })));
  const root = await rootFromPath(leaf, answer.index, answer.chunks, answer.path.map(unhex));
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, BigInt(answer.chunks));
  const whole = root && (await sha256(joined(number, root)));
  const bound = whole && hex(await sha256(joined(unhex(answer.nonce), whole)));
  const said = detailsOf(events, answer.event_id, "INDEX_WRITTEN");
  if (said.generation !== answer.generation || said.output_hash !== answer.commitment) {
    verdict.fail("answer_unbound", "answer", "its event did not write this generation to the index");
  }
  if (bound !== answer.commitment) {
    verdict.fail("answer_wrong", "answer", "text, page or place are not those that the log committed to");
  }
  if (shown && ["chunk_id", "doc_id", "page", "text"].some((name) => shown[name] !== answer[name])) {
    verdict.fail("answer_shown_otherwise", "answer", "the page shows another passage than the proof is about");
  }
  if (events.findLast((event) => event.details.chunk_id === chunk_id)?.type === "CONTENT_WITHHELD") {
    verdict.fail("answer_withheld", "answer", "the passage was withheld and not released");
  }
  if (events.at(-1).type === "DOCUMENT_ERASED") {
    verdict.fail("answer_erased", "answer", "the document was erased");
  }
  if (verdict.failures.length === before) {
    verdict.checked.push("text, page and place of the passage: as committed to when it was indexed");
  }
  for (const [name, type] of [["parser", "DOCUMENT_PARSED"], ["policy", "POLICY_GATE_PASSED"]]) {
    const logged = events.findLast((event) => event.type === type)?.details.pipeline_version;
    if (logged && logged !== attested[name]) {
      verdict.fail("attested_wrong", name, "the log names another version");
    }
    verdict.attested.push(`${name} ${attested[name]}`);
  }
  verdict.attested.push(`embedding ${attested.embedding}`, "that the parser read this passage in the source");
}

async function checkSource(verdict, proof, fileDigest) {
  const { source } = proof;
  const opened = source.disclosure;
  if (detailsOf(inOrder(proof), source.event_id, "DOCUMENT_INGESTED").output_hash !== source.commitment) {
    verdict.fail("source_unbound", "source", "its commitment is not the one made at intake");
  }
  if (!opened) {
    verdict.attested.push("the source file: only the commitment to its SHA-256 is shown");
  } else if (hex(await sha256(joined(unhex(opened.nonce), unhex(opened.sha256)))) !== source.commitment) {
    verdict.fail("source_wrong", "source", "the disclosed SHA-256 does not open the commitment");
  } else {
    verdict.checked.push(`the source's SHA-256 is the one committed to at intake: ${opened.sha256}`);
  }
  if (fileDigest && !opened) {
    verdict.fail("source_undisclosed", "source", "the proof does not open the commitment to the file");
  } else if (fileDigest && hex(fileDigest) !== opened.sha256) {
    verdict.fail("source_wrong", "the file", "this file is not the source");
  } else if (fileDigest) {
    verdict.checked.push("the file that you gave is that source, byte by byte");
  }
}

function inOrder(proof) {
  const place = (item) => [item.log ?? 0, item.sequence];
  const items = [...proof.events].sort((one, other) => {
    const [a, b] = [place(one), place(other)];
    return a[0] - b[0] || a[1] - b[1];
  });
  return items.map((item) => item.event);
}

/** The details of the event that binds something; none where it is not of that kind. */
function detailsOf(events, id, type) {
  return events.find((event) => event.event_id === id && event.type === type)?.details ?? {};
}

// -- reading ----------------------------------------------------------------------------------------------------------

/** A kind of value by its name in FORM: whether a value is of it. */
const KINDS = {
  text: (value) => typeof value === "string",
  count: (value) => Number.isSafeInteger(value) && value >= 0,
  hash: (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
  hashes: (value) => Array.isArray(value) && value.length <= 64 && value.every(KINDS.hash),
  id: (value) => value === null || typeof value === "string",
  object: (value) => value !== null && typeof value === "object" && !Array.isArray(value),
};

const EVENT = {
  event_id: "text",
  tenant_id: "text",
  type: "text",
  resource_id: "text",
  details: "object",
  previous_event_id: "id",
};
const PROVEN = { sequence: "count", path: "hashes", event: EVENT };
const FORM = {
  tenant_id: "text",
  public_key: "text",
  checkpoint: "text",
  answer: {
    chunk_id: "text",
    doc_id: "text",
    generation: "text",
    page: "count",
    start: "count",
    end: "count",
    text: "text",
    index: "count",
    chunks: "count",
    path: "hashes",
    nonce: "hash",
    commitment: "hash",
    event_id: "text",
  },
  source: { commitment: "hash", event_id: "text" },
  attested: { parser: "text", policy: "text", embedding: "text" },
};

/** The proof as an object of which every member that is used below is there and of its kind. */
function readProof(text) {
  // What canonical JSON does not have could be read in two ways: numbers but plain integers, half characters.
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/gs, '""');
  if (/[-+.]|\d[eE]|(?<!\d)0\d/.test(bare) || HALF_CHARACTER.test(text)) {
    unreadable("the proof holds a number that proofs do not have");
  }
  let proof;
  try {
    proof = JSON.parse(text, (_, value) =>
      (typeof value === "string" && HALF_CHARACTER.test(value)) || (typeof value === "number" && !KINDS.count(value))
        ? unreadable("the proof holds a value that proofs do not have")
        : value,
    );
  } catch (error) {
    throw error instanceof Unreadable ? error : new Unreadable("the proof is not JSON");
  }
  if (!FORMATS.includes(proof?.format)) {
    unreadable(`this is not a proof of the formats ${FORMATS.join(" and ")}`);
  }
  fits(proof, FORM);
  lists(proof.events, PROVEN);
  if (proof.events.length === 0) {
    unreadable("the proof has no events");
  }
  for (const item of proof.events) {
    fits(item, item.log === undefined ? {} : { log: "count" });
  }
  if (proof.source.disclosure !== null) {
    fits(proof.source.disclosure, { sha256: "hash", nonce: "hash" });
  }
  if (proof.earlier !== undefined) {
    lists(proof.earlier, { log: "count", public_key: "text", checkpoint: "text", named_by: PROVEN });
  }
  return proof;
}

function lists(value, form) {
  if (!Array.isArray(value)) {
    unreadable("a list of the proof is none");
  }
  value.forEach((item) => fits(item, form));
}

function fits(value, form) {
  for (const [name, kind] of Object.entries(form)) {
    const nested = typeof kind === "object";
    const member = KINDS.object(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    if (!KINDS[nested ? "object" : kind](member)) {
      unreadable(`the proof's ${name} is missing or of another kind`);
    }
    if (nested) {
      fits(member, kind);
    }
  }
}

function unreadable(message) {
  throw new Unreadable(message);
}

// -- bytes ------------------------------------------------------------------------------------------------------------

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function unhex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function base64(text) {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    unreadable("what should be base64 is not");
  }
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function bytes32(bytes) {
  return bytes.length === 32 ? bytes : unreadable("a root has 32 bytes");
}

function same(one, other) {
  return one !== null && hex(one) === hex(other);
}
