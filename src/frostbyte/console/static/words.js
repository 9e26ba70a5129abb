// Numbers and times as the server's pages say them (console/words.py).

const UNITS = ["kB", "MB", "GB", "TB"];

/** So many bytes, in decimal units. */
export function size(octets) {
  if (octets < 1000) return `${octets} B`;
  let power = 1;
  while (octets >= 999.5 * 1000 ** power && power < UNITS.length) power += 1;
  const amount = octets / 1000 ** power;
  return `${amount < 99.95 ? amount.toFixed(1) : amount.toFixed(0)} ${UNITS[power - 1]}`;
}

/** A number, with its noun if there is one. */
export function count(number, one = "", many = `${one}s`) {
  const shown = number.toLocaleString("en");
  return one ? `${shown} ${number === 1 ? one : many}` : shown;
}

/** A duration: 4 s, 3 min 20 s, 2 h 5 min. */
export function seconds(amount) {
  const whole = Math.max(1, Math.round(amount));
  for (const [large, small, length, part] of [["d", "h", 86400, 3600], ["h", "min", 3600, 60], ["min", "s", 60, 1]]) {
    if (whole < length) continue;
    const rest = Math.floor((whole % length) / part);
    return `${Math.floor(whole / length)} ${large}${rest ? ` ${rest} ${small}` : ""}`;
  }
  return `${whole} s`;
}

export const STATES = {
  received: "Received", waiting: "Waiting", indexed: "Indexed", quarantined: "Quarantined", failed: "Failed",
  erased: "Erased", rejected: "Rejected",
};
export const STAGES = {
  scan: "Scanning for malware", parse: "Reading", policy: "Checking against policy", embed: "Preparing for search",
  index: "Entering into search",
};
