// Shows one job with its progress (server-sent events), its actions and its downloads.

import { button, el, facts, number, percent, plural, seconds, when } from "./dom.js";
import { ask, problemBox, refused } from "./http.js";

export const FINAL = new Set(["succeeded", "failed", "cancelled", "expired"]);
const FORMATS = { csv: "CSV", ndjson: "NDJSON", parquet: "Parquet" };
const NOTHING_TO_RETRY = "Nothing can be retried: the failed rows have no usable text.";
const AGAIN_MS = 3000;

/** Makes a card that follows a job until its end and then calls `onEnd`; `close` stops following. */
export function jobCard(job, onEnd) {
  const body = el("div", {}), message = el("div", {}), status = el("span", { role: "status" });
  const card = el("article", { class: "job" },
    el("h3", {}, "Job ", el("code", {}, job.id), " ", status), body, message);
  let source = null, timer = null;

  const draw = (now) => {
    status.textContent = now.status;
    status.className = `state ${now.status}`;
    const parts = [progress(now), note(now.warning), details(now), actions(now, act), evaluation(now.evaluation)];
    body.replaceChildren(...parts.filter(Boolean));
  };
  const act = async (path) => {
    try {
      const now = await ask(path, { method: "POST" });
      draw(now);
      message.replaceChildren(path === job.urls.retry && FINAL.has(now.status) ? NOTHING_TO_RETRY : "");
      if (!FINAL.has(now.status)) follow();
    } catch (problem) {
      message.replaceChildren(problemBox(problem));
    }
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
  };
  const follow = () => {
    close();
    source = new EventSource(job.urls.events);
    source.addEventListener("progress", (event) => {
      message.replaceChildren();
      draw(JSON.parse(event.data));
    });
    source.addEventListener("end", (event) => {
      close();
      draw(JSON.parse(event.data));
      onEnd();
    });
    source.addEventListener("error", async () => {
      if (source.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
      message.replaceChildren(problemBox(await why(job.urls.self)));
      timer = setTimeout(follow, AGAIN_MS);
    });
  };
  draw(job);
  if (!FINAL.has(job.status)) follow();
  return { card, close };
}

/** Finds out why an event stream could not start, by reading the job: EventSource does not tell. */
async function why(path) {
  try {
    await ask(path);
    return refused(0, JSON.stringify({ title: "Not connected", detail: "Reconnecting in a few seconds." }), null);
  } catch (problem) {
    return problem;
  }
}

const note = (warning) => (warning ? el("p", { class: "note" }, warning) : null);

function progress(job) {
  const { total, succeeded, failed, cancelled } = job.counts;
  const done = succeeded + failed + cancelled;
  return el("div", { class: "bar" },
    el("progress", { max: total, value: done, "aria-label": "Rows that are done" }),
    el("span", {}, `${number(done)} of ${plural(total, "row")}, ${percent(job.progress, 0)}`));
}

function details(job) {
  const running = !FINAL.has(job.status);
  return facts([
    ["Failed", job.counts.failed ? plural(job.counts.failed, "row") : null],
    ["Cancelled", job.counts.cancelled ? plural(job.counts.cancelled, "row") : null],
    ["Pace", job.reviews_per_second ? `${number(Math.round(job.reviews_per_second))} rows/s` : null],
    ["Time left", running && job.remaining_seconds !== null ? seconds(job.remaining_seconds) : null],
    ["Review column", job.file ? job.file.text_column : null],
    ["Submitted", when(job.created_at)],
    ["Took", job.timings_ms.total === null ? null : seconds(job.timings_ms.total / 1000)],
  ]);
}

function actions(job, act) {
  const link = (format) => el("a", { href: `${job.urls.results}?format=${format}`, download: "" }, FORMATS[format]);
  const failed = el("a", { href: `${job.urls.results}?format=csv&status=failed`, download: "" }, "failed rows only");
  const exhausted = job.counts.failed && ["succeeded", "failed"].includes(job.status);
  return el("div", { class: "actions" },
    FINAL.has(job.status) ? "Results:" : "Results so far:", Object.keys(FORMATS).map(link), job.counts.failed ? failed : null,
    FINAL.has(job.status) ? null : [
      job.status === "paused"
        ? button("Resume", () => act(job.urls.resume), { class: "quiet" })
        : button("Pause", () => act(job.urls.pause), { class: "quiet" }),
      button("Cancel", () => act(job.urls.cancel), { class: "quiet" }),
    ],
    exhausted ? button("Retry failed rows", () => act(job.urls.retry), { class: "quiet" }) : null);
}

function evaluation(found) {
  if (!found || found.accuracy === null) return "";
  return el("p", {}, `The file has ${plural(found.labelled, "label")}. Of the rows with a label and a result: `
    + `accuracy ${percent(found.accuracy)}, macro F1 ${found.macro_f1 === null ? "unknown" : percent(found.macro_f1)}.`);
}
