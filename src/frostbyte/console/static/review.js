// The review queue by keyboard: j and k go from one thing to the next, a digit goes to a choice, Enter decides it. Nothing is
// decided by one key alone.

import { announce } from "./page.js";

const items = () => [...document.querySelectorAll("[data-item]")];

function here() {
  return document.activeElement?.closest("[data-item]") ?? null;
}

function goTo(item) {
  if (!item) return;
  item.focus();
  item.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = items();
  const at = all.indexOf(here());
  const next = all[at < 0 ? 0 : at + by];
  if (next) goTo(next);
  else announce(by > 0 ? "This is the last one." : "This is the first one.");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable], dialog[open]")) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (/^[1-9]$/.test(event.key)) here()?.querySelector(`[data-key="${event.key}"]`)?.focus();
  else return;
  event.preventDefault();
});

// After a decision the page comes back at the next thing; who decides by keyboard goes on from there.
const target = document.getElementById(location.hash.slice(1));
if (target?.matches("[data-item]")) goTo(target);
else if (new URLSearchParams(location.search).has("said")) goTo(items()[0]);
