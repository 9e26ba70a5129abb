// One upload as it moves on: sums first, and the files of this page. A list of 10,000 stays as long as its page.

import { fill } from "./dom.js";
import { announce, localTimes } from "./page.js";
import { follow } from "./stream.js";
import { count, seconds, size, STAGES, STATES } from "./words.js";

const live = document.getElementById("live");
const at = (id) => document.getElementById(id);
const ENDED = ["indexed", "quarantined", "failed", "erased"];
let shownSums = "", toldPercent = 0;

/** Sums of the whole upload. */
function showSums(sums) {
  const documents = sums.files - sums.rejected;
  const ended = ENDED.reduce((all, state) => all + sums.states[state], 0);
  const open = sums.states.received + sums.states.waiting;
  const numbers = {
    ended, documents, all: sums.files, under_way: open, rejected: sums.rejected, indexed: sums.states.indexed,
    quarantined: sums.states.quarantined, failed: sums.states.failed, erased: sums.states.erased,
  };
  for (const element of live.querySelectorAll("[data-sum]")) {
    const name = element.dataset.sum;
    element.textContent = name === "noun" ? (documents === 1 ? "document" : "documents") : count(numbers[name]);
  }
  at("bar").max = Math.max(documents, 1);
  at("bar").value = ended;
  at("left").textContent = sums.waits || !open ? "" : sums.seconds_left
    ? `about ${seconds(sums.seconds_left)} left` : "measuring how long it takes …";
  for (const item of at("track").children) {
    const number = sums.stages[item.dataset.stage];
    item.classList.toggle("busy", number > 0);
    item.firstElementChild.textContent = count(number);
  }
  const waits = at("waits");
  waits.hidden = !sums.waits;
  if (sums.waits) fill(waits, sums.waits);
  if (sums.closed_at) at("open")?.remove();
  const percent = documents ? Math.floor((ended / documents) * 4) * 25 : 0;
  if (percent > toldPercent) announce(`${count(ended)} of ${count(documents, "document")} done`);
  toldPercent = Math.max(toldPercent, percent);
  const standing = JSON.stringify(sums.states);
  if (live.dataset.files === "0" && shownSums && shownSums !== standing) at("stale").hidden = false;
  shownSums = standing;
}

/** A file of this page. */
function showFile(item) {
  const state = item.state ?? "rejected";
  const row = at(`file-${item.position}`) ?? added(item);
  if (!row) return;
  fill(row, {
    filename: item.filename || "(no name kept)",
    link: item.doc_id && state !== "erased" ? `/console/documents/${item.doc_id}` : undefined,
    doing: item.stage ? STAGES[item.stage] : item.outcome === "duplicate" ? "Here already" : "",
    message: item.message, remedy: item.remedy, size: size(item.size),
    pages: item.pages ?? "", chunks: item.chunks ?? "", withheld: item.withheld ?? "",
  });
  const badge = row.querySelector("[data-badge]");
  if (badge.className !== `badge ${state}`) row.classList.add("fresh");
  badge.className = `badge ${state in STATES ? state : ""}`;
  badge.textContent = STATES[state] ?? state;
  row.querySelector("[data-why]").hidden = !item.message;
}

/** A row for a file that arrived after the page was made, as long as the page is not full. */
function added(item) {
  const files = at("files");
  if (!files?.lastElementChild || files.children.length >= Number(live.dataset.files)) return null;
  const row = files.lastElementChild.cloneNode(true);
  row.id = `file-${item.position}`;
  files.append(row);
  return row;
}

function end() {
  at("track").hidden = true;
  at("finished").hidden = false;
  const badge = document.createElement("span");
  const good = ["failed", "quarantined", "rejected"].every((name) => {
    const sum = live.querySelector(`[data-sum="${name}"]`);
    return !sum || sum.textContent === "0";
  });
  badge.className = `badge ${good ? "ok" : "hold"}`;
  badge.textContent = good ? "Done" : "Done, with problems";
  at("standing").replaceChildren(badge);
  announce(good ? "Every document is done." : "Every document is done, some with problems.");
}

if (!("done" in live.dataset)) {
  const { events, after, files } = live.dataset;
  at("stream").hidden = false;
  // A page that showed no file yet is made anew when the first arrives.
  const empty = !at("files") && files !== "0";
  follow(`${events}?files=${files}&after=${after}`, {
    progress: (sums) => {
      if (empty && sums.files) { location.reload(); return true; }
      showSums(sums);
    },
    document: showFile,
    done: () => { end(); localTimes(); return true; },
    suspended: (why) => {
      fill(at("waits"), why);
      at("waits").hidden = false;
      announce(`${why.message} ${why.remedy}`);
    },
  }, at("stream"));
}
