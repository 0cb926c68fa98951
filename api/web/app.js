// Starts the parts of the page, and refreshes lists and status while the page is visible.

import { startFile } from "./file.js";
import { startJobs } from "./jobs.js";
import { startModels } from "./models.js";
import { startReview } from "./review.js";
import { startStatus } from "./status.js";

const EVERY_MS = 5000;

const jobs = startJobs(), status = startStatus();
const refresh = () => Promise.all([jobs(), status()]);
startModels();
startReview(refresh);
startFile(refresh);

/** Refreshes a visible page, then waits: slow answers do not overlap, and a hidden page sends no requests. */
async function poll() {
  if (!document.hidden) await refresh();
  setTimeout(poll, EVERY_MS);
}
document.addEventListener("visibilitychange", () => document.hidden || refresh());
poll();
