// The page of a passage: keys turn pages, and the proof is checked here and now, by verify.js.

import { Refusal, ask, textOf } from "./api.js";
import { filled } from "./dom.js";
import { announce } from "./page.js";
import { Pins } from "./pins.js";
import {
  Unreadable,
  Unsupported,
  beginsWith,
  fingerprint,
  hex,
  readNote,
  readPath,
  rootOf,
  sha256,
  verifyProof,
} from "./verify.js";

const room = document.getElementById("proof");
const button = document.getElementById("verify");
const verdictRoom = document.getElementById("verdict");
const pins = new Pins(storage(), room.dataset.tenant);

document.getElementById("verifying").hidden = false;
room.querySelector(".by_hand").hidden = true;
button.addEventListener("click", () => check());

// -- the proof --------------------------------------------------------------------------------------------------------

let proofText = null; // as it came; asked for again when the page is opened anew

async function check(fileDigest) {
  button.disabled = true;
  button.textContent = "Verifying …";
  try {
    proofText ??= await textOf(`/api/v1/chunks/${room.dataset.chunk}/proof`);
    await judge(proofText, fileDigest);
    button.textContent = "Verify again";
  } catch (error) {
    proofText = null;
    show(filled("cannot", cannot(error)));
    button.textContent = "Try again";
  }
  button.disabled = false;
}

function cannot(error) {
  if (error instanceof Unreadable) {
    return { message: `What came is no proof: ${error.message}.`, remedy: "Treat this passage as unproven, and tell whoever runs this plane." };
  }
  if (error instanceof Unsupported) {
    return { message: error.message, remedy: "Keep the proof and check it with frostbyte proof verify." };
  }
  return { message: error.message, remedy: error.remedy ?? "Open the page again." };
}

async function judge(text, fileDigest) {
  const told = JSON.parse(text);
  const state = pins.meet(String(told.public_key));
  const earlier = (told.earlier ?? []).map((log) => log.public_key);
  const known = earlier.length > 0 && earlier.every((one) => pins.kept?.former.includes(one)) ? earlier : [];
  const { chunk, doc, page } = room.dataset;
  const shown = { chunk_id: chunk, doc_id: doc, page: Number(page), text: document.getElementById("shown").textContent };
  const verdict = await verifyProof(text, pins.kept?.key ?? String(told.public_key), { earlierKeys: known, fileDigest, shown });
  if (verdict.ok) {
    if (state === "new") pins.keep(told.public_key);
    await compare(verdict, readNote(told.checkpoint));
  }
  const parts = [verdict.ok ? filled("holds", { about: `${verdict.checked.length} things were computed and compared in this browser.` }) : filled("broken", {})];
  if (verdict.failures.length) parts.push(failures(verdict.failures));
  parts.push(...(await aboutKey(state, told, earlier)));
  if (verdict.checked.length) parts.push(list("Checked here", "checked", verdict.checked));
  parts.push(list("Said by the plane, not computed here", "attested", verdict.attested));
  if (told.source?.disclosure) parts.push(fileRoom());
  show(...parts);
  announce(verdict.ok ? "The proof holds." : "The proof does not hold.");
}

/** Whether the proof's log and the one that this browser saw last are one: the smaller is how the larger begins. */
async function compare(verdict, note) {
  const [kept, where] = [pins.newest(), `checkpoint of ${note.size} events`];
  if (kept !== null && kept.size !== note.size) {
    const known = { size: kept.size, root: rootOf(kept.root) };
    const [old, whole] = known.size < note.size ? [known, note] : [note, known];
    const claim = `the log of ${whole.size} events begins with that of ${old.size}`;
    try {
      const told = await ask("GET", `/api/v1/audit/consistency?old_size=${old.size}&new_size=${whole.size}`);
      if (!(await beginsWith(old, whole, readPath(told)))) {
        verdict.fail("forked", where, `what this browser saw of the log, ${known.size} events, is not of the same log`);
        return;
      }
    } catch (error) {
      if (error instanceof Refusal && error.code === "log_smaller") {
        verdict.fail("forked", where, `this browser saw ${known.size} events of the log, and now it has fewer`);
      } else if (error instanceof Refusal) {
        verdict.attested.push(`that ${claim}: it was not shown (${error.message})`);
      } else {
        throw error;
      }
      return; // not remembered: the next visit compares with what was seen before
    }
    verdict.checked.push(`${claim}, ${old === known ? "which" : "of which the larger"} this browser saw before: nothing of it was changed or taken out`);
  }
  if (!pins.remember(note.size, hex(note.root))) {
    verdict.fail("forked", where, "this browser saw another state of the log of that size");
  }
}

function show(...parts) {
  verdictRoom.replaceChildren(...parts);
}

function list(title, name, items) {
  const node = filled("findings", { title });
  node.classList.add(name);
  node.querySelector("ul").append(...items.map((item) => Object.assign(document.createElement("li"), { textContent: item })));
  return node;
}

function failures(found) {
  const node = filled("findings", { title: "What does not hold" });
  node.classList.add("failed");
  node.querySelector("ul").append(
    ...found.map(({ name, where, message }) => filled("failure", { name, where: `${where}:`, message })),
  );
  return node;
}

// -- the log's key ----------------------------------------------------------------------------------------------------

async function aboutKey(state, told, earlier) {
  if (pins.kept === null) return []; // nothing was proven: no key is kept
  const since = new Date(pins.kept.since).toLocaleDateString();
  const own = filled("key", { label: "The log's key", key: pins.kept.key, fingerprint: await fingerprint(pins.kept.key) });
  if (state === "new") {
    return [filled("key_new", {}), own, agree("I compared it: it is the plane's key", () => pins.compared())];
  }
  if (state === "known") {
    const compared = pins.kept.compared ? ", and which you compared" : "";
    const parts = [filled("key_known", { since, compared })];
    return pins.kept.compared ? parts : [...parts, own, agree("I compared it: it is the plane's key", () => pins.compared())];
  }
  const offered = String(told.public_key);
  const restored = earlier.includes(pins.kept.key)
    ? "The proof says that the plane was restored from the log of the key that you know. Only the new key signs for that."
    : "";
  return [
    filled("key_changed", { since, restored }),
    filled("key", { label: "Known", key: pins.kept.key, fingerprint: await fingerprint(pins.kept.key) }),
    filled("key", { label: "Offered now", key: offered, fingerprint: await fingerprint(offered) }),
    agree("I asked: take the new key", () => pins.replace(offered)),
  ];
}

function agree(text, act) {
  const node = filled("compare", { button: text });
  node.querySelector("button").addEventListener("click", () => {
    act();
    check();
  });
  return node;
}

// -- the file ---------------------------------------------------------------------------------------------------------

function fileRoom() {
  const node = filled("file", {});
  node.querySelector("input").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) check(await sha256(await file.arrayBuffer()));
  });
  return node;
}

function storage() {
  try {
    return window.localStorage;
  } catch {
    return null; // forbidden: every visit is the first
  }
}

// -- the page ---------------------------------------------------------------------------------------------------------

const picture = document.getElementById("picture");
const failed = () => {
  picture.hidden = true;
  document.getElementById("no_picture").hidden = false;
};
picture?.addEventListener("error", failed);
if (picture?.complete && picture.naturalWidth === 0) failed();

document.getElementById("marked")?.scrollIntoView({ block: "center" });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.target.closest("input, select, textarea, dialog")) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = rel && document.querySelector(`.turn a[rel=${rel}]`);
  if (link) location.assign(link.href);
});
