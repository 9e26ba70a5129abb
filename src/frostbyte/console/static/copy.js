// <button data-copies="ID" hidden>: copies the value of the field of that id, where the browser lets a page do so.
import { announce } from "./page.js";

for (const button of document.querySelectorAll("[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  field.addEventListener("focus", () => field.select());
  if (!navigator.clipboard) continue; // over plain HTTP from elsewhere: it is selected, and copied by hand
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
      announce("The link is copied.");
    } catch {
      field.focus();
      announce("It could not be copied. It is selected: copy it with the keyboard.");
    }
  });
}
