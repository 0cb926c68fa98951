// Lists the jobs, newest first; each can be opened and followed.

import { byId, button, el, number, percent, table, when } from "./dom.js";
import { apiUrl, ask, noteProblem, problemBox } from "./http.js";
import { jobCard } from "./job.js";

const PAGE = 10;
const HEADS = ["Submitted", "State", "#Rows", "#Done", "#Failed", "Lane", "Details"];

/** Starts the list, and returns the function that refreshes it. */
export function startJobs() {
  const list = byId("jobs-list"), more = byId("jobs-more"), trouble = byId("jobs-problem"), filter = byId("jobs-status");
  let shown = PAGE, followed = null, asked = 0;

  const follow = async (job) => {
    followed?.close();
    const place = byId("jobs-followed");
    try {
      followed = jobCard(await ask(job.urls.self), refresh);
      place.replaceChildren(followed.card);
      place.scrollIntoView({ block: "nearest" });
    } catch (problem) {
      place.replaceChildren(problemBox(problem));
    }
  };

  async function refresh() {
    const mine = ++asked;
    const query = new URLSearchParams({ limit: shown, ...(filter.value ? { status: filter.value } : {}) });
    try {
      const page = await ask(apiUrl(`/v1/jobs?${query}`));
      if (mine !== asked) return; // a later refresh is running
      noteProblem(trouble, null);
      draw(list, page.data, follow);
      more.hidden = page.next === null || shown >= 500;
    } catch (problem) {
      if (mine === asked) noteProblem(trouble, problem);
    }
  }

  more.addEventListener("click", () => {
    shown = Math.min(shown + 4 * PAGE, 500);
    refresh();
  });
  filter.addEventListener("change", refresh);
  return refresh;
}

/** Redraws the list only if a row has changed, and keeps the focus on its button. */
function draw(list, jobs, follow) {
  const state = JSON.stringify(jobs.map((job) => [job.id, job.status, job.progress, job.counts]));
  if (list.dataset.state === state) return;
  const focused = document.activeElement?.dataset?.job;
  list.dataset.state = state;
  list.replaceChildren(jobs.length ? table("Jobs", HEADS, rows(jobs, follow)) : el("p", { class: "hint" }, "No jobs yet."));
  if (focused) list.querySelector(`button[data-job="${CSS.escape(focused)}"]`)?.focus();
}

const rows = (jobs, follow) => jobs.map((job) => [
  when(job.created_at),
  el("span", { class: `state ${job.status}` }, job.status),
  number(job.counts.total),
  percent(job.progress, 0),
  number(job.counts.failed),
  job.lane,
  button("Show", () => follow(job), { class: "quiet", "data-job": job.id, "aria-label": `Show job ${job.id}` }),
]);
