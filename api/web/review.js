// Classifies one review and shows its result.

import { byId, button, el, facts, milliseconds, number, percent } from "./dom.js";
import { apiUrl, ask, newKey, problemBox } from "./http.js";
import { FINAL } from "./job.js";
import { chosenModel } from "./models.js";

const STAGES = { ngram: "n-grams (sure enough)", transformer: "network and n-grams" };

export function startReview(onSubmitted) {
  const form = byId("review-form"), text = byId("review-text"), result = byId("review-result");
  const send = form.querySelector("button");

  async function classify(key) {
    send.disabled = true;
    result.replaceChildren(el("p", { class: "hint" }, "Waiting for the result…"));
    try {
      const wait = (job) => job.warning && result.replaceChildren(el("p", { class: "note" }, job.warning));
      const job = await finished(text.value, key, wait);
      result.replaceChildren(shown(job.results[0]));
      onSubmitted();
    } catch (problem) {
      result.replaceChildren(problemBox(problem, () => classify(key)));
    } finally {
      send.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    classify(newKey());
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

/** Submits one review and returns its finished job; that takes a while if the queue is long. */
async function finished(text, key, onWait) {
  const headers = { Prefer: "wait=20", "Idempotency-Key": key };
  let job = await ask(apiUrl("/v1/jobs"), { method: "POST", body: { reviews: [{ text }], ...chosenModel("review-model") }, headers });
  while (!FINAL.has(job.status)) {
    onWait(job);
    job = await ask(`${job.urls.self}?wait=20`);
  }
  return job;
}

function shown(result) {
  if (result.sentiment === null) {
    const why = result.error ? result.error.detail : `It is ${result.status}.`;
    return el("div", { class: "problem" }, el("strong", {}, "No answer."), " ", why);
  }
  return el("article", { class: "answer" },
    el("p", { class: "sentiment", "data-label": result.sentiment },
      el("strong", {}, result.sentiment), ` ${percent(result.confidence)} sure`),
    probabilities(result.probabilities),
    result.warnings.includes("language") ? el("p", { class: "note" }, "This does not look like English, the only language of the model.") : null,
    result.truncated ? el("p", { class: "note" }, "This review is long: the network read only a part of it.") : null,
    facts([
      ["Answered by", STAGES[result.model.stage] || result.model.stage],
      ["Model", `${result.model.name} ${result.model.version}, ${result.model.precision}`],
      ["Tokens", number(result.tokens)],
      ["Waited", milliseconds(result.timings_ms.queued)],
      ["Inference", result.cached ? "none: taken from the cache" : milliseconds(result.timings_ms.inference)],
    ]),
    feedback(result),
    similar(result.similar_reviews));
}

function probabilities(byLabel) {
  return el("ul", { class: "bars" }, Object.entries(byLabel).map(([label, value]) =>
    el("li", {}, el("span", {}, label),
      el("progress", { max: 1, value, "aria-label": `Probability of ${label}`, "data-label": label }),
      el("span", {}, percent(value)))));
}

function feedback(result) {
  const message = el("div", { class: "message", role: "status" });
  const share = el("input", { type: "checkbox" });
  const record = async (sentiment) => {
    try {
      const body = { sentiment, share: share.checked };
      const stored = await ask(apiUrl(`/v1/reviews/${result.review_id}/feedback`), { method: "POST", body });
      const seen = stored.shared ? "Others may see the review until its job is deleted." : "Nobody else sees the review.";
      message.replaceChildren(`Thank you: stored as ${sentiment}. ${seen}`);
    } catch (problem) {
      message.replaceChildren(problemBox(problem, () => record(sentiment)));
    }
  };
  const labels = Object.keys(result.probabilities);
  return el("div", { class: "feedback", role: "group", "aria-label": "Correct sentiment" },
    el("span", {}, "Correct sentiment?"),
    labels.map((label) => button(label, () => record(label), { class: "quiet" })),
    el("label", { class: "hint" }, share, " show this review to others as a similar review"), message);
}

function similar(reviews) {
  if (!reviews.length) return null;
  return el("section", {}, el("h3", {}, "Similar labelled reviews"),
    el("ol", { class: "similar" }, reviews.map((each) => el("li", {},
      el("p", { class: "hint" },
        el("span", { class: "label", "data-label": each.sentiment }, each.sentiment),
        ` similarity ${each.similarity.toFixed(2)}`),
      el("blockquote", {}, each.text)))));
}
