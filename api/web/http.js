// Asks the API. Every refusal (RFC 9457) and every silence is a Problem, and `problemBox` shows it as it is.

import { button, el } from "./dom.js";

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
  let body = { title: `Error ${status}`, detail: "The service answered in a way that this page does not know." };
  try {
    body = { ...body, ...JSON.parse(text) };
  } catch {
    // a proxy's own page
  }
  const wait = Number.parseInt(retryAfter || "", 10);
  return new Problem(status, body, Number.isNaN(wait) ? null : wait);
}

/** No answer; of what changes nothing (GET) there is no more to say. */
export const unreachable = (method) => new Problem(0, {
  title: "No answer.",
  detail: `The service cannot be reached.${method === "GET" ? "" : " What was sent may have arrived or not; a repeat does it once."}`,
}, null);

/** What the API answers, as JSON; null for an answer without a body. Throws a Problem. */
export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  let answer, text;
  try {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const kind = body === undefined ? {} : { "Content-Type": "application/json" };
    answer = await fetch(path, { method, headers: { ...kind, ...headers }, signal, ...sent });
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable(method);
  }
  if (!answer.ok) throw refused(answer.status, text, answer.headers.get("Retry-After"));
  return text ? JSON.parse(text) : null;
}

/** A key under which a repeated POST is the same one. (crypto.randomUUID exists only over HTTPS and on localhost.) */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const MEANINGS = {
  429: "Too much is waiting. Nothing is broken, and nothing of this request was kept.",
  503: "Something that the service needs is not there just now.",
};

/** What went wrong, in the service's own words; with `again`, a button that waits as long as the service asks for. */
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

/** Shows a problem of what is asked again and again, or null for none; the same one is not said twice. */
export function noteProblem(place, problem) {
  const words = problem ? `${problem.title} ${problem.message}` : "";
  if (place.dataset.words === words) return;
  place.dataset.words = words;
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
