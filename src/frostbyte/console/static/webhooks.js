// A secret that is shown once can be copied with one press, where the browser lets pages do that.

import { announce } from "./page.js";

for (const button of document.querySelectorAll("[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  field.addEventListener("focus", () => field.select());
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
      announce("The secret is copied.");
    } catch {
      field.focus();
      announce("The browser does not let this page copy. The secret is selected.");
    }
  });
}
