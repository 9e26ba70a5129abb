// The same API that programs use, asked with the session that this page belongs to.

/** A refusal in words: code for programs, message and remedy for people. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? "The server did not answer as expected.");
    this.name = "Refusal";
    this.status = status;
    this.code = problem.code ?? "unknown";
    this.remedy = problem.remedy ?? "";
    this.request = problem.request_id ?? "";
  }
}

/** What the server hears from a page of this session and from nobody else. */
export const csrf = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

/** Asks; the answer's JSON, or a Refusal. `more`: body (made JSON unless it is FormData or a Blob), headers, signal. */
export async function ask(method, path, more) {
  const answer = await answered(method, path, more);
  return answer.status === 204 ? null : json(answer);
}

/** Reads; the answer's text to the letter, or a Refusal. */
export async function textOf(path) {
  return (await answered("GET", path)).text();
}

async function answered(method, path, { body, headers = {}, signal } = {}) {
  const sent = { "X-Frostbyte-CSRF": csrf(), ...headers };
  let content = body;
  if (body !== undefined && !(body instanceof FormData) && !(body instanceof Blob)) {
    sent["Content-Type"] = "application/json";
    content = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, { method, headers: sent, body: content, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { code: "disconnected", detail: "The server cannot be reached.", remedy: "This page tries again by itself." });
  }
  if (!answer.ok) throw new Refusal(answer.status, await json(answer));
  return answer;
}

async function json(answer) {
  const kind = answer.headers.get("content-type") ?? "";
  return kind.includes("json") ? answer.json().catch(() => ({})) : {};
}
