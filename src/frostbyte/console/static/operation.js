// An operation as it goes on. The page stands by itself; this keeps it true: each step that is heard of has the tree asked
// for, in words, and what has changed is put in its place. A stream that is cut and a server that is away are waited for.

import { ask } from "./api.js";
import { announce } from "./page.js";
import { follow } from "./stream.js";

const EVERY = 5000; // milliseconds: asked for again, should a stream be silent that ought not to be

const root = document.querySelector("[data-operation]");
const connection = document.getElementById("connection");
let asking = false;
let again = false;
let timer;
let stop = () => {};

function text(element, words) {
  if (element && element.textContent !== words) element.textContent = words;
}

function place(id, words) {
  text(document.getElementById(id), words);
}

/** Puts a list of nodes in order: those that are there stay, so that nothing jumps and a selection is kept. */
function put(list, nodes) {
  const known = new Map([...list.children].map((each) => [each.dataset.key, each]));
  nodes.forEach((told, at) => {
    const item = known.get(told.key) ?? document.getElementById("node").content.firstElementChild.cloneNode(true);
    known.delete(told.key);
    item.dataset.key = told.key;
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
    fill(item, told);
  });
  for (const gone of known.values()) gone.remove();
}

function fill(item, told) {
  if (item.dataset.state !== told.state) item.dataset.state = told.state;
  for (const name of ["words", "said", "about"]) text(item.querySelector(`:scope > .step > .${name}`), told[name]);
  const made = item.querySelector(":scope > .made");
  if ([...made.children].map((each) => each.textContent).join("\n") !== told.made.join("\n")) {
    made.replaceChildren(...told.made.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  }
  made.hidden = told.made.length === 0;
  const inner = item.querySelector(":scope > ol");
  inner.hidden = told.nodes.length === 0;
  put(inner, told.nodes);
}

function show(told) {
  put(document.getElementById("tree"), told.nodes);
  const badge = document.getElementById("operation-outcome");
  if (badge.textContent !== told.outcome) announce(told.outcome);
  text(badge, told.outcome);
  badge.className = `badge ${told.status}`;
  for (const name of ["took", "steps", "code", "now"]) place(`operation-${name}`, told[name]);
  const bar = document.getElementById("operation-bar");
  bar.max = Math.max(told.of, 1);
  bar.value = told.done;
  told.figures.forEach((figure, at) => place(`figure-${at}`, figure.value));
  root.dataset.status = told.status;
}

async function look() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  clearTimeout(timer);
  try {
    const told = await ask("GET", root.dataset.progress);
    if (!told?.nodes) {
      over("You are no longer signed in. Reload this page to sign in again; the operation goes on without it.");
    } else {
      show(told);
      if (told.status !== "running") over("");
    }
  } catch (refusal) {
    if ([401, 403, 404].includes(refusal.status)) over(`${refusal.message} ${refusal.remedy}`);
  }
  asking = false;
  if (root.dataset.status !== "running") return;
  if (again) {
    again = false;
    await look();
  } else {
    timer = setTimeout(look, EVERY);
  }
}

function over(words) {
  stop();
  clearTimeout(timer);
  root.dataset.status = root.dataset.status === "running" ? "left" : root.dataset.status;
  connection.hidden = !words;
  connection.className = "badge hold";
  text(connection, words);
}

if (root?.dataset.status === "running") {
  connection.hidden = false;
  stop = follow(root.dataset.events, { step: () => void look(), done: () => (look(), true) }, connection);
  look();
}
