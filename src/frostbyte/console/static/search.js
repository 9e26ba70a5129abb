// Search without leaving the page: keys go through what is found, and coming back finds it again. The question lives in
// this entry of the tab's history and in the body of what is asked, never in an address.

import { ask } from "./api.js";
import { fill, filled } from "./dom.js";
import { announce, localTimes } from "./page.js";

const FLAGS = {
  injection_suspected: "may hold orders to a machine",
  unscanned: "not scanned for malware",
  document_has_withheld_passages: "passages of this document are withheld",
};
const form = document.getElementById("search");
const box = document.getElementById("query");
const results = document.getElementById("results");
const hits = document.getElementById("hits");
const failed = document.getElementById("failed");
let asking = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(form));
  delete given.csrf;
  if (given.query.trim()) search(given);
});
document.getElementById("again").addEventListener("click", () => form.requestSubmit());

async function search(given, { quietly = false } = {}) {
  asking?.abort();
  asking = new AbortController();
  document.body.classList.add("asking-now");
  failed.hidden = true;
  history.replaceState(given, "");
  try {
    show(await ask("POST", "/api/v1/query", { body: question(given), signal: asking.signal }), quietly);
  } catch (error) {
    if (error.name === "AbortError") return;
    fill(failed, { message: error.message, remedy: error.code === "disconnected" ? "Your question is still here." : error.remedy });
    failed.hidden = false;
  }
  document.body.classList.remove("asking-now");
}

/** The form as the API asks for it: whole days, the last one among them. */
function question({ query, mode, classification, received_from, received_to, document: within }) {
  const filters = {};
  if (classification) filters.classification = classification;
  if (received_from) filters.received_from = `${received_from}T00:00:00Z`;
  if (received_to) filters.received_to = `${received_to}T23:59:59.999999Z`;
  if (within) filters.doc_ids = [within];
  return { query, mode, filters };
}

function show(answer, quietly) {
  const found = answer.results.length;
  const said = found === 0 ? "Nothing found" : found === 1 ? "1 passage" : `${found} passages`;
  document.getElementById("first")?.remove();
  document.getElementById("found").textContent = said;
  document.getElementById("nothing").hidden = found > 0;
  document.getElementById("embedding").textContent = `Read by ${answer.embedding.label}. Hours and days are UTC.`;
  hits.replaceChildren(...answer.results.map(hit));
  localTimes(hits);
  results.hidden = false;
  if (quietly) return;
  announce(said);
  if (results.getBoundingClientRect().top > innerHeight / 2) results.scrollIntoView(); // a telephone shows the form alone
}

function hit(result) {
  const also = result.also_in.length;
  const node = filled("hit", {
    href: `/console/passages/${result.chunk_id}`,
    name: result.title || result.filename,
    page: `page ${result.page}`,
    classification: words(result.classification || "unclassified"),
    headings: result.headings.join(" › "),
    also_count: also === 1 ? "1 passage says the same" : `${also} passages say the same`,
  });
  const slot = (name) => node.querySelector(`[data-slot=${name}]`);
  const received = document.createElement("time");
  received.dateTime = received.textContent = result.received_at;
  slot("received").append(received);
  slot("text").append(...marked(result.text, result.highlights));
  slot("flags").append(...result.flags.map(flag));
  slot("flags").hidden = result.flags.length === 0;
  node.querySelector(".headings").hidden = result.headings.length === 0;
  slot("also").hidden = also === 0;
  slot("also").querySelector("ul").append(
    ...result.also_in.map((other) =>
      filled("also", {
        href: `/console/passages/${other.chunk_id}`,
        name: other.filename,
        where: `page ${other.page}${other.identical ? "" : ", nearly the same"}`,
      }),
    ),
  );
  return node;
}

/** The text with the question's words marked. Places count characters, of which some are two units of a string. */
function marked(text, places) {
  const characters = Array.from(text);
  const nodes = [];
  let at = 0;
  for (const [start, end] of places) {
    const mark = document.createElement("mark");
    mark.textContent = characters.slice(start, end).join("");
    nodes.push(characters.slice(at, start).join(""), mark);
    at = end;
  }
  return [...nodes, characters.slice(at).join("")];
}

function flag(name) {
  const badge = document.createElement("span");
  const hidden = name.startsWith("pii_");
  badge.className = hidden ? "badge" : "badge hold";
  badge.textContent = FLAGS[name] ?? (hidden ? `hides ${name.slice(4).replaceAll("_", " ")}` : words(name));
  return badge;
}

function words(name) {
  const said = name.replaceAll("_", " ");
  return said.charAt(0).toUpperCase() + said.slice(1);
}

// -- keys -------------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input[type=date], dialog")) return;
  const links = [...hits.querySelectorAll("a.open")];
  const at = links.indexOf(document.activeElement.closest?.(".hit")?.querySelector("a.open"));
  const inBox = document.activeElement === box;
  if (event.key === "ArrowDown" && (inBox || at >= 0)) go(links[Math.min(at + 1, links.length - 1)], event);
  else if (event.key === "ArrowUp" && at >= 0) go(at === 0 ? box : links[at - 1], event);
  else if (event.key === "Home" && at >= 0) go(links[0], event);
  else if (event.key === "End" && at >= 0) go(links.at(-1), event);
  else if (event.key === "Escape" && at >= 0) go(box, event);
});

function go(element, event) {
  if (!element) return;
  event.preventDefault();
  element.focus();
  element.closest(".hit")?.scrollIntoView({ block: "nearest" });
  if (element === box) box.select();
}

// -- coming back ------------------------------------------------------------------------------------------------------

const before = history.state;
if (before?.query && results.hidden) {
  for (const [name, value] of Object.entries(before)) {
    if (form.elements[name] && name !== "csrf") form.elements[name].value = value;
  }
  search(before, { quietly: true });
}
