// Lets the user choose a model if several are served.

import { byId, el } from "./dom.js";

const CHOICES = ["review-model", "file-model"];

/** Starts the choices. A chosen model stays in the list even without workers; a job for it is then refused. */
export function startModels() {
  for (const id of CHOICES) byId(id).addEventListener("change", (event) => { event.target.dataset.chosen = event.target.value; });
}

/** Lists the models that live workers serve, the default of the service first. */
export function offerModels(models) {
  const served = models.filter((each) => each.workers);
  const inOrder = [...served.filter((each) => each.default), ...served].map((each) => each.name);
  for (const id of CHOICES) {
    const select = byId(id), { chosen } = select.dataset;
    const names = [...new Set(chosen ? [...inOrder, chosen] : inOrder)];
    byId(`${id}-choice`).hidden = names.length < 2;
    if ([...select.options].map((each) => each.value).join("\n") === names.join("\n")) continue;
    select.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    if (chosen) select.value = chosen;
  }
}

/** Returns the chosen model as a part of a request; an empty object if there is no choice. */
export const chosenModel = (id) => (byId(`${id}-choice`).hidden ? {} : { model: byId(id).value });
