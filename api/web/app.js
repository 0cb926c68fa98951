// The page: starts its parts, and brings lists and status up to date while somebody looks.

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

/** One after the other, however long an answer takes; a page that nobody sees asks for nothing. */
async function look() {
  if (!document.hidden) await refresh();
  setTimeout(look, EVERY_MS);
}
document.addEventListener("visibilitychange", () => document.hidden || refresh());
look();
