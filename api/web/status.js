// Shows the SLA: its targets, the queues and the live workers.

import { byId, el, facts, milliseconds, number, percent, plural, seconds, table } from "./dom.js";
import { apiUrl, ask, noteProblem } from "./http.js";
import { offerModels } from "./models.js";

const WORDS = { true: "met", false: "missed", null: "no data" };
const MARKS = { true: "✓", false: "✗", null: "–" };

/** Starts the status view, and returns the function that refreshes it. */
export function startStatus() {
  const chosen = byId("status-window");
  let asked = 0;

  async function refresh() {
    const mine = ++asked;
    const [sla, models] = await Promise.allSettled([ask(apiUrl(`/v1/sla?window=${chosen.value}`)), ask(apiUrl("/v1/models"))]);
    if (mine !== asked) return; // a later refresh is running
    const failed = [sla, models].find((each) => each.status === "rejected");
    noteProblem(byId("status-problem"), failed ? failed.reason : null);
    for (const id of ["status-targets", "status-now"]) byId(id).classList.toggle("old", Boolean(failed));
    outage(failed ? failed.reason.message : stranded(sla.value));
    if (failed) {
      announce(byId("status-verdict"), el("p", { class: "verdict unknown" }, "Unknown. The figures below are old."));
    } else draw(sla.value, models.value.data);
  }

  chosen.addEventListener("change", refresh);
  return refresh;
}

function draw(sla, models) {
  offerModels(models);
  announce(byId("status-verdict"), el("p", { class: `verdict ${sla.met === null ? "unknown" : WORDS[sla.met]}` },
    el("span", { "aria-hidden": "true" }, `${MARKS[sla.met]} `), sla.headline));
  byId("status-targets").replaceChildren(targets(sla));
  byId("status-now").replaceChildren(now(sla.lanes, models));
}

/** The headline if queued rows have no live worker, else an empty text. */
const stranded = (sla) => (sla.targets.some((each) => each.name === "waiting" && each.met === false) ? sla.headline : "");

/** Shows an outage at the top of the page; nothing for an empty text. */
function outage(text) {
  announce(byId("outage"), el("p", text ? { class: "problem" } : {}, text));
}

/** Replaces a text only if it has changed, since a screen reader reads out every replacement. */
function announce(place, element) {
  if (place.textContent !== element.textContent) place.replaceChildren(element);
}

function quantity(value, unit) {
  if (value === null) return "–";
  return { ms: milliseconds, rows: number }[unit]?.(value) ?? percent(value, 2);
}

function targets(sla) {
  return table("Targets of the SLA", ["Target", "#Figure", "#Limit", "Verdict", "Error budget left", "#Counted"],
    sla.targets.map((each) => [
      each.title,
      quantity(each.figure, each.unit),
      `${each.is_floor ? "≥" : "≤"} ${quantity(each.limit, each.unit)}`,
      el("span", { class: `state ${WORDS[each.met].split(" ")[0]}` }, `${MARKS[each.met]} ${WORDS[each.met]}`),
      budget(each),
      counted(each),
    ]));
}

function budget(target) {
  const left = target.budget_left;
  if (left === null) return "–";
  const words = left < 0 ? `overspent ${(1 - left).toFixed(1)} times` : percent(left, 0);
  return el("span", { class: "budget" },
    el("progress", { max: 1, value: Math.max(left, 0), "aria-label": `Error budget left, ${target.title}` }), el("span", {}, words));
}

const counted = (target) =>
  number(target.counted) + (target.missed === null ? "" : `, ${number(target.missed)} against`);

function now(lanes, models) {
  const working = models.filter((model) => model.workers);
  const workers = working.reduce((sum, model) => sum + model.workers, 0);
  const several = new Set(lanes.map((each) => each.model)).size > 1;
  const lane = (each) => [several ? `${each.model}, ${each.lane}` : each.lane, `${plural(each.queued, "row")} waiting${each.oldest_seconds >= 1 ? ` (since ${seconds(each.oldest_seconds)})` : ""}, ${number(each.processing)} in progress`];
  const left = new Set(lanes.map((each) => each.model).filter((name) => !working.some((model) => model.name === name)));
  return facts([
    ...lanes.map(lane),
    ["workers", workers ? plural(workers, "live worker") : "no live worker: queued rows are kept, new jobs are refused"],
    ...working.map((model) => ["model", `${model.name} ${model.version}, ${model.precision}, on ${plural(model.workers, "worker")}`]),
    ...(workers ? [...left] : []).map((name) => ["model", `${name} has no live worker: its queued rows are kept, new jobs for it are refused`]),
  ]);
}
