// Files on their way in. They go in parts of one upload: what breaks off goes on with the part that broke, and the
// server knows a part again that it had. Without this script the form is sent as it is.

import { ask, csrf, Refusal } from "./api.js";
import { filled } from "./dom.js";
import { announce } from "./page.js";
import { count, seconds, size } from "./words.js";

const PART_BYTES = 8e6, PART_FILES = 50; // small files go together: 100 requests a minute are let in
const ROWS = 200; // what is shown of a long list; sums count all
const FIRST = 2, LONGEST = 30; // seconds between attempts
const LATER = new Set([0, 429, 502, 503, 504]); // nothing is wrong with what was sent

const at = (id) => document.getElementById(id);
const form = at("upload"), drop = at("drop"), choose = at("choose"), folder = at("choose-folder"), chosen = at("chosen");
const { fileBytes, files: mostFiles, room, formats } = form.dataset;
const NAMES = { pdf: "PDF", docx: "DOCX", xlsx: "XLSX", txt: "TXT", csv: "CSV", png: "PNG", tif: "TIFF", tiff: "TIFF" };

/** Entries {file, name, row, loaded, state}: ready, sending, sent, accepted, rejected, left (never sent). */
let queue = [], sending = null;

// -- choosing --------------------------------------------------------------------------------------------------------

for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
for (const element of document.querySelectorAll(".plain")) element.hidden = true;
choose.required = false;
at("folder").addEventListener("click", () => folder.click());
for (const input of [choose, folder]) {
  input.addEventListener("change", () => {
    add([...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
    input.value = "";
  });
}
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("over");
  });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
addEventListener("drop", async (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  drop.classList.remove("over");
  // Entries have to be asked for before anything is waited for.
  const items = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = [];
  for (const item of items) await walk(item, found);
  add(found);
});

/** Collects the files below a dropped file or folder. */
async function walk(entry, found) {
  if (entry instanceof File) found.push({ file: entry, name: entry.name });
  else if (entry?.isFile) {
    const file = await new Promise((good, bad) => entry.file(good, bad)).catch(() => null);
    if (file) found.push({ file, name: entry.fullPath.replace(/^\//, "") });
  } else if (entry?.isDirectory) {
    const reader = entry.createReader();
    for (;;) { // a reader gives at most 100 at once
      const some = await new Promise((good, bad) => reader.readEntries(good, bad)).catch(() => []);
      if (!some.length) break;
      for (const inner of some) await walk(inner, found);
    }
  }
}

/** Puts files into the queue, each once, with what is known to be wrong with it before it is sent. */
function add(found) {
  if (sending) return;
  const known = new Set(queue.map(({ name, file }) => `${name}\0${file.size}\0${file.lastModified}`));
  for (const { file, name } of found) {
    const key = `${name}\0${file.size}\0${file.lastModified}`;
    if (known.has(key)) continue;
    known.add(key);
    queue.push({ file, name, loaded: 0, state: "ready", why: "" });
  }
  judge();
  show();
  announce(at("sum").textContent);
}

/** Says which files cannot be taken, by the limits that the page was told. */
function judge() {
  let taken = 0;
  for (const entry of queue) {
    const ending = /\.([a-z0-9]+)$/i.exec(entry.name)?.[1].toLowerCase() ?? "";
    entry.state = "ready";
    entry.why = "";
    if (!entry.file.size) [entry.state, entry.why] = ["left", "It is empty, so it is not sent."];
    else if (entry.file.size > Number(fileBytes)) [entry.state, entry.why] = ["left", `It is larger than ${size(Number(fileBytes))}, so it is not sent.`];
    else if (taken >= Number(mostFiles)) [entry.state, entry.why] = ["left", `One upload takes ${count(Number(mostFiles), "file")}: send this one in another.`];
    else {
      taken += 1;
      if (!formats.split(" ").includes(NAMES[ending])) entry.why = "By its name it is none of the accepted formats; its content decides.";
    }
  }
}

// -- showing ---------------------------------------------------------------------------------------------------------

const toSend = () => queue.filter(({ state }) => state !== "left");
const bytesOf = (entries) => entries.reduce((all, { file }) => all + file.size, 0);

function show() {
  at("queue").hidden = !queue.length;
  chosen.replaceChildren(...queue.slice(0, ROWS).map(row));
  const beyond = queue.length - ROWS;
  at("beyond").hidden = beyond <= 0;
  at("beyond").textContent = `and ${count(Math.max(beyond, 0), "more file")}`;
  const ready = toSend(), bytes = bytesOf(ready), left = queue.length - ready.length;
  at("sum").textContent = `${count(ready.length, "file")}, ${size(bytes)}${left ? `; ${count(left)} cannot be sent` : ""}`;
  at("send").textContent = ready.length ? `Send ${count(ready.length, "file")}` : "Send";
  at("send").disabled = !ready.length;
  say(room !== undefined && bytes > Number(room)
    ? `There is room for ${size(Number(room))}: files beyond it are not taken, unless they are here already.` : "");
}

function row(entry) {
  entry.row = filled("file", { name: entry.name, size: size(entry.file.size), why: entry.why, remove: `Remove ${entry.name}` });
  entry.row.querySelector(".name").title = entry.name;
  entry.row.querySelector(".why").hidden = !entry.why;
  entry.row.querySelector("[data-remove]").addEventListener("click", () => {
    const next = entry.row.nextElementSibling ?? entry.row.previousElementSibling;
    queue = queue.filter((other) => other !== entry);
    const at = next ? [...chosen.children].indexOf(next) - (next === entry.row.nextElementSibling ? 1 : 0) : -1;
    judge();
    show();
    (chosen.children[at]?.querySelector("button") ?? choose).focus(); // whoever works with keys stays where they were
  });
  mark(entry);
  return entry.row;
}

/** What became of a file. */
function mark(entry) {
  if (!entry.row) return;
  const [bar, badge, button, why] = ["progress", "[data-badge]", "[data-remove]", ".why"].map((name) => entry.row.querySelector(name));
  button.hidden = Boolean(sending);
  bar.hidden = entry.state !== "sending";
  bar.max = Math.max(entry.file.size, 1);
  bar.value = entry.loaded;
  const said = { accepted: ["Arrived", "ok"], rejected: ["Not taken", "bad"], left: ["Not sent", "hold"] }[entry.state];
  badge.hidden = !said;
  if (said) [badge.textContent, badge.className] = [said[0], `badge ${said[1]}`];
  why.textContent = entry.why;
  why.hidden = !entry.why;
}

function say(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

function state(text, kind = "accent") {
  at("state").hidden = !text;
  if (at("state").textContent !== text) at("state").textContent = text;
  at("state").className = `badge ${kind}`;
}

at("clear").addEventListener("click", () => { queue = []; show(); choose.focus(); });

// -- sending ---------------------------------------------------------------------------------------------------------

at("send").addEventListener("click", send);
form.addEventListener("submit", (event) => { event.preventDefault(); if (queue.length) send(); });
addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });

/** Files that go in one request. */
function* parts(entries) {
  let first = 0;
  while (first < entries.length) {
    let end = first, bytes = 0;
    do bytes += entries[end++].file.size;
    while (end < entries.length && end - first < PART_FILES && bytes + entries[end].file.size <= PART_BYTES);
    yield { first, entries: entries.slice(first, end) };
    first = end;
  }
}

async function send() {
  const entries = toSend();
  if (sending || !entries.length) return;
  sending = { key: crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].join("-"), batch: "", stopped: false, began: Date.now() };
  for (const name of ["send", "clear"]) at(name).hidden = true;
  for (const name of ["all", "cancel"]) at(name).hidden = false;
  for (const input of form.elements) input.disabled = true;
  at("all").max = bytesOf(entries);
  say("");
  entries.forEach(mark);
  at("cancel").focus();
  state("Sending");
  try {
    for (const part of parts(entries)) {
      await patiently(() => post(part, entries));
      if (sending.stopped) break;
    }
    if (sending.batch) await patiently(() => ask("POST", `/api/v1/ingest/${sending.batch}/close`));
    const { batch } = sending;
    sending = null;
    if (batch) location.assign(`/console/batches/${batch}`);
    else location.reload();
  } catch (error) {
    failed(error);
  }
}

/** Does it until it is done: what only has to wait is tried again. The key makes a repeated part one. */
async function patiently(attempt) {
  for (let pause = FIRST; ; pause = Math.min(pause * 2, LONGEST)) {
    try {
      const done = await attempt();
      state("Sending");
      say("");
      at("again").hidden = true;
      return done;
    } catch (error) {
      if (sending.stopped) return null;
      if (!(error instanceof Refusal) || !LATER.has(error.status)) throw error;
      await wait(error, error.after || pause);
    }
  }
}

/** Waits for a time, for the network to come back, or for somebody who presses the button. */
function wait(error, pause) {
  say(error.status ? `${error.message} ${error.remedy}` : "The connection was lost. Nothing that arrived is lost: sending goes on as soon as it is back.");
  state(`Waiting, next attempt in ${seconds(pause)}`, "hold");
  at("again").hidden = false;
  return new Promise((resolve) => {
    const go = () => { clearTimeout(timer); removeEventListener("online", go); at("again").removeEventListener("click", go); sending.wake = null; resolve(); };
    const timer = setTimeout(go, pause * 1000);
    addEventListener("online", go);
    at("again").addEventListener("click", go);
    sending.wake = go;
  });
}

/** Sends one part; its files know how far they are, and then what became of them. */
function post(part, entries) {
  const body = new FormData();
  for (const { file, name } of part.entries) body.append("files", file, name);
  const request = new XMLHttpRequest(), total = bytesOf(part.entries), before = bytesOf(entries.slice(0, part.first));
  sending.request = request;
  for (const entry of part.entries) { entry.state = "sending"; entry.loaded = 0; mark(entry); }
  return new Promise((resolve, reject) => {
    const refuse = (problem) => {
      const refusal = new Refusal(request.status, problem);
      refusal.after = Number(request.getResponseHeader("Retry-After")) || 0;
      reject(refusal);
    };
    request.upload.onprogress = (event) => {
      let loaded = (event.loaded / (event.total || 1)) * total; // the form's own bytes are shared out among its files
      at("all").value = before + loaded;
      const spent = (Date.now() - sending.began) / 1000, sent = before + loaded;
      if (spent > 2 && sent > 0) at("sum").textContent = `${size(sent)} of ${size(at("all").max)}, about ${seconds(((at("all").max - sent) * spent) / sent)} left`;
      for (const entry of part.entries) {
        entry.loaded = Math.min(Math.max(loaded, 0), entry.file.size);
        loaded -= entry.file.size;
        mark(entry);
      }
    };
    request.onerror = () => refuse({ code: "disconnected" });
    request.onabort = () => refuse({ code: "stopped" });
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* a proxy's page: its status says enough */ }
      if (request.status !== 202) { refuse(answer); return; }
      sending.batch = answer.batch_id;
      for (const item of [...answer.accepted, ...answer.rejected]) {
        const entry = part.entries[item.index];
        if (!entry) continue;
        entry.state = item.code ? "rejected" : "accepted";
        entry.why = item.code ? `${item.message} ${item.remedy}` : item.outcome === "duplicate" ? "It was here already; it counts once." : "";
        mark(entry);
      }
      resolve();
    };
    request.open("POST", `/api/v1/ingest?first=${part.first}&more=true`);
    request.setRequestHeader("X-Frostbyte-CSRF", csrf());
    request.setRequestHeader("Idempotency-Key", sending.key);
    request.send(body);
  });
}

at("cancel").addEventListener("click", () => {
  if (!sending) return;
  sending.stopped = true;
  state("Stopping", "hold");
  sending.request?.abort();
  sending.wake?.();
});

/** What cannot be waited out. What arrived stays, and its upload can be looked at. */
function failed(error) {
  const batch = sending?.batch;
  sending = null;
  const over = error.status === 401;
  say(`${error.message} ${error.remedy ?? ""} ${batch ? "What arrived before is kept." : "Nothing was taken."}`.trim());
  state("Not sent", "bad");
  for (const name of ["cancel", "again"]) at(name).hidden = true;
  if (batch) location.assign(`/console/batches/${batch}`);
  else if (!over) { at("send").hidden = false; at("clear").hidden = false; for (const input of form.elements) input.disabled = false; }
}
