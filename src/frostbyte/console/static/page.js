// What every page does: moments in the reader's own time zone, "/" leads to the search, sure questions before danger.

const zoned = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

/** Shows the moments below `root` in the reader's zone; the exact one stays in their titles. */
export function localTimes(root = document) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) {
      time.title = time.dateTime;
      time.textContent = zoned.format(moment);
    }
  }
}

/** Says something to those who listen instead of looking. */
export function announce(text) {
  const live = document.getElementById("announce");
  if (live) live.textContent = text;
}

localTimes();
for (const here of document.querySelectorAll(".rooms [aria-current], .tabs [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const box = document.querySelector("input[type=search]");
  const room = document.querySelector('.rooms a[href="/console/search"]');
  if (box) box.focus();
  else if (room) location.assign(room.href);
  else return;
  event.preventDefault();
});

// A form is sent once, however often its button is pressed; one that brings a file (data-again) may be sent again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog" || "again" in form.dataset) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
