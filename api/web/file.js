// Uploads a file, follows its job to the end, and offers the results as downloads.

import { byId, el, number, percent } from "./dom.js";
import { apiUrl, newKey, problemBox, refused, unreachable } from "./http.js";
import { jobCard } from "./job.js";
import { chosenModel } from "./models.js";

const TYPES = {
  csv: "text/csv",
  txt: "text/csv",
  tsv: "text/tab-separated-values",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
  json: "application/x-ndjson",
  tab: "text/tab-separated-values",
  // The service recognises these by their bytes.
  xlsx: "text/csv",
  ods: "text/csv",
  parquet: "text/csv",
  zip: "text/csv",
};

export function startFile(onChanged) {
  const form = byId("file-form"), input = byId("file-input"), column = byId("file-column"), place = byId("file-progress");
  const send = form.querySelector("button");
  let followed = null;

  async function submit(file, key) {
    send.disabled = true;
    followed?.close();
    const bar = el("progress", { max: 1, value: 0, "aria-label": "Sent" }), note = el("span", { role: "status" }, "Sending…");
    place.replaceChildren(el("div", { class: "bar" }, bar, note));
    try {
      const options = { column: column.value.trim(), encoding: byId("file-encoding").value.trim() };
      const job = await upload(file, options, key, (share) => {
        bar.value = share;
        note.textContent = share < 1 ? `Sent ${percent(share, 0)}` : "Storing the rows…";
      });
      followed = jobCard(job, onChanged);
      place.replaceChildren(followed.card);
      onChanged();
    } catch (problem) {
      place.replaceChildren(problemBox(problem, () => submit(file, key)));
    } finally {
      send.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [file] = input.files;
    if (!(nameParts(file.name).type)) {
      place.replaceChildren(el("p", { class: "problem", role: "alert" }, `${file.name}: unknown file type. Rename it to .csv, .tsv, .ndjson, .xlsx, .ods or .parquet.`));
    } else if (!file.size) {
      place.replaceChildren(el("p", { class: "problem", role: "alert" }, `${file.name} is empty (${number(0)} bytes).`));
    } else submit(file, newKey());
  });
}

function nameParts(name) {
  const isPacked = name.toLowerCase().endsWith(".gz");
  const plain = name.replace(/\.(gz|bz2|xz|zst)$/i, "");
  return { isPacked, type: TYPES[plain.slice(plain.lastIndexOf(".") + 1).toLowerCase()] };
}

/** Submits a file and returns its job. XMLHttpRequest, since fetch reports no progress of an upload. */
function upload(file, { column, encoding }, key, report) {
  const { isPacked, type } = nameParts(file.name);
  const request = new XMLHttpRequest();
  const query = new URLSearchParams({
    ...(column && { text_column: column }), ...(encoding && { encoding }), ...chosenModel("file-model"),
  });
  request.open("POST", apiUrl(`/v1/jobs?${query}`));
  request.setRequestHeader("Content-Type", type);
  request.setRequestHeader("Idempotency-Key", key);
  if (isPacked) request.setRequestHeader("Content-Encoding", "gzip");
  return new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => report(event.total ? event.loaded / event.total : 0));
    request.addEventListener("error", () => reject(unreachable("POST")));
    request.addEventListener("load", () => {
      const { status, responseText } = request;
      if (status >= 200 && status < 300) resolve(JSON.parse(responseText));
      else reject(refused(status, responseText, request.getResponseHeader("Retry-After")));
    });
    request.send(file);
  });
}
