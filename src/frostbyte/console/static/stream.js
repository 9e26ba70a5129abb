// Server-sent events that come back by themselves, and say when they are gone.

import { announce } from "./page.js";

const FIRST = 1000, LONGEST = 15000; // milliseconds between attempts

/** Follows `path` until `done` says so.
 *
 *  @param {string} path of an event stream.
 *  @param {Object<string, function(any): (boolean|void)>} on by event name; what returns true ends the stream.
 *  @param {HTMLElement} state an element with role=status that says "live", "connection lost ..." or "ended".
 *  @returns {function(): void} what stops it. */
export function follow(path, on, state) {
  let source, timer, pause = FIRST, ended = false;

  const say = (text, name) => {
    if (!state) return;
    if (state.textContent !== text && name !== "live") announce(text);
    state.textContent = text;
    state.className = `badge ${name}`;
  };
  const stop = () => { ended = true; clearTimeout(timer); source?.close(); };

  const open = () => {
    source = new EventSource(path);
    source.onopen = () => { pause = FIRST; say("Live", "ok"); };
    source.onerror = () => {
      source.close();
      if (ended) return;
      say("Connection lost. Trying again …", "hold");
      timer = setTimeout(open, pause);
      pause = Math.min(pause * 2, LONGEST);
    };
    for (const [name, hear] of Object.entries(on)) {
      source.addEventListener(name, (event) => {
        if (hear(JSON.parse(event.data)) === true) { stop(); say("Ended", "soft"); }
      });
    }
  };
  say("Connecting …", "hold");
  open();
  addEventListener("pagehide", stop, { once: true });
  return stop;
}
