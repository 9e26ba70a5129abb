// Pages are made by the server; what changes later is a clone of a <template> of theirs, filled with text. Strings never
// become markup: the page's policy forbids it (Trusted Types), whatever they hold.

/** A clone of the template with this id. Elements with data-text get the named value as text, those with data-href a
 *  link within this server, those with data-state the state as a class and in words. A value that is absent empties. */
export function filled(id, values) {
  const clone = document.getElementById(id).content.cloneNode(true);
  fill(clone, values);
  return clone.firstElementChild;
}

/** Fills elements below `root` in place; see filled(). */
export function fill(root, values) {
  for (const element of each(root, "[data-text]")) {
    if (element.dataset.text in values) element.textContent = values[element.dataset.text] ?? "";
  }
  for (const element of each(root, "[data-href]")) {
    const path = values[element.dataset.href];
    if (typeof path === "string" && path.startsWith("/") && !path.startsWith("//")) element.href = path;
  }
  for (const element of each(root, "[data-state]")) {
    if (!(element.dataset.state in values)) continue;
    const state = String(values[element.dataset.state]);
    element.className = `badge ${/^[a-z_]+$/.test(state) ? state : ""}`;
    element.textContent = state.replaceAll("_", " ");
  }
}

function each(root, selector) {
  const found = [...root.querySelectorAll(selector)];
  if (root instanceof Element && root.matches(selector)) found.unshift(root);
  return found;
}
