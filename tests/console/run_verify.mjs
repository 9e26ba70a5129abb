// Runs verify.js on cases from stdin, a JSON list a line, and prints what came of each. Used by test_verify.py.
//
//   node run_verify.mjs FOLDER_OF_THE_MODULES
//
// A case is {does, ...}: "proof" gives {checked, attested, failures} or {unreadable}; the others give what they compute.

import { createHash, webcrypto } from "node:crypto";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= webcrypto; // Debian 12's node has it, but not by that name
const verify = await import(pathToFileURL(`${process.argv[2]}/verify.js`).href);
const { Pins } = await import(pathToFileURL(`${process.argv[2]}/pins.js`).href);
const bytes = (text) => Uint8Array.from(Buffer.from(text, "hex"));

const does = {
  async proof({ text, key, source, earlier, witnesses, shown }) {
    const fileDigest = source && Uint8Array.from(createHash("sha256").update(source, "base64").digest());
    const options = { fileDigest, earlierKeys: earlier ?? [], witnesses: witnesses ?? [], shown };
    const { checked, attested, failures, ok } = await verify.verifyProof(text, key, options);
    return { ok, checked, attested, failures: failures.map((failure) => failure.name) };
  },
  async event({ event }) {
    const canonical = verify.canonical(event);
    return [canonical, verify.hex(await verify.leafHash(new TextEncoder().encode(canonical)))];
  },
  async path({ leaf, index, size, path }) {
    const root = await verify.rootFromPath(bytes(leaf), index, size, path.map(bytes));
    return root && verify.hex(root);
  },
  async begins({ old, whole, path }) {
    const note = ({ size, root }) => ({ size, root: bytes(root) });
    return verify.beginsWith(note(old), note(whole), path.map(bytes));
  },
  async signed({ note, key }) {
    return verify.signedBy(verify.readNote(note), await verify.readKey(key));
  },
  /** Each act is a page opened anew on the same storage: [method, ...arguments]. */
  async pins({ acts, broken }) {
    const kept = new Map();
    const storage = broken ? null : { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value) };
    return acts.map(([method, ...given]) => {
      const pins = new Pins(storage, given.shift());
      return [pins[method](...given) ?? null, pins.kept];
    });
  },
  fingerprint: ({ key }) => verify.fingerprint(key),
};

async function answer(given) {
  try {
    return await does[given.does](given);
  } catch (error) {
    if (!(error instanceof verify.Unreadable)) {
      throw error;
    }
    return { unreadable: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const results = [];
  for (const given of JSON.parse(line)) {
    results.push(await answer(given));
  }
  console.log(JSON.stringify(results));
}
