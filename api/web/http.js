// Sends requests to the API. Every error (RFC 9457) and every failed connection is a Problem; `problemBox` shows it.

import { button, el } from "./dom.js";

/** The URL of a path of the API, below the path prefix that the page itself was loaded from. */
export const apiUrl = (path) => new URL(`..${path}`, import.meta.url).href;

export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body.detail || body.title);
    this.status = status;
    this.title = body.title;
    this.errors = body.errors || [];
    this.requestId = body.request_id;
    this.retryAfter = retryAfter;
  }
}

export function refused(status, text, retryAfter) {
  let body = { title: `Error ${status}`, detail: "The answer is not from the service; a proxy may be misconfigured." };
  try {
    body = { ...body, ...JSON.parse(text) };
  } catch {
    // the error page of a proxy
  }
  const wait = Number.parseInt(retryAfter || "", 10);
  return new Problem(status, body, Number.isNaN(wait) ? null : wait);
}

/** The Problem of a request without an answer. */
export const unreachable = (method) => new Problem(0, {
  title: "No answer.",
  detail: `The service cannot be reached.${method === "GET" ? "" : " The request may have arrived; repeating it has no further effect."}`,
}, null);

/** Sends a request and returns the JSON of its answer, or null without a body. Throws a Problem. */
export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  let answer, text;
  try {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { "Content-Type": "application/json" };
    answer = await fetch(path, { method, headers: { ...type, ...headers }, signal, ...sent });
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable(method);
  }
  if (!answer.ok) throw refused(answer.status, text, answer.headers.get("Retry-After"));
  return text ? JSON.parse(text) : null;
}

/** Makes an Idempotency-Key. (crypto.randomUUID exists only over HTTPS and on localhost.) */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const MEANINGS = {
  429: "The queue is full. Nothing is broken, and nothing of this request was stored.",
  503: "A part of the service is not available at the moment.",
};

/** Shows a problem in the words of the service; with `again`, adds a retry button that waits for Retry-After. */
export function problemBox(problem, again = null) {
  if (!(problem instanceof Problem)) throw problem;
  return el("div", { class: "problem", role: "alert" },
    el("strong", {}, problem.title), " ", problem.message,
    MEANINGS[problem.status] ? el("p", {}, MEANINGS[problem.status]) : null,
    problem.errors.length
      ? el("ul", {}, problem.errors.map((each) => el("li", {}, el("code", {}, each.pointer || "body"), " ", each.detail)))
      : null,
    again ? retryButton(problem, again) : null,
    problem.requestId ? el("p", { class: "hint" }, `Request ${problem.requestId}`) : null);
}

/** Shows the problem of a regular request, or null for none. The same problem is not announced twice. */
export function noteProblem(place, problem) {
  const text = problem ? `${problem.title} ${problem.message}` : "";
  if (place.dataset.problem === text) return;
  place.dataset.problem = text;
  place.replaceChildren(problem ? problemBox(problem) : "");
}

function retryButton(problem, again) {
  const made = button("Try again", again, { class: "quiet" });
  let left = problem.retryAfter || 0;
  const tick = () => {
    made.disabled = left > 0;
    made.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
    if (left > 0) setTimeout(tick, 1000);
    left -= 1;
  };
  tick();
  return made;
}
