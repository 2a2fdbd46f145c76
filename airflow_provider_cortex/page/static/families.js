/** The models in the chart: a family is a model by its name, a version is one finished job. */

import * as format from "./format.js";

/** Return the moment at which a version is drawn. */
export const ended = (job) => job.finished_on ?? job.created_on;

/** Return the loss whose dot stands for a version, or null. */
export const mainLoss = (job) => job.validation_loss ?? job.training_loss;

function isVersion(job) {
  const hasFigures = mainLoss(job) != null || job.trained_tokens != null;
  return job.status === "SUCCESS" && job.family && hasFigures && ended(job) != null;
}

/** Return the models that have versions, most recently trained first. */
export function familiesOf(jobs) {
  const families = new Map();
  for (const job of jobs.filter(isVersion)) {
    const key = `${job.conn_id}\n${job.family}`;
    const { conn_id, family } = job;
    if (!families.has(key)) families.set(key, { key, conn_id, family, versions: [] });
    families.get(key).versions.push(job);
  }
  for (const { versions } of families.values()) versions.sort((a, b) => ended(a) - ended(b));
  const newest = ({ versions }) => ended(versions.at(-1));
  return [...families.values()].sort((a, b) => newest(b) - newest(a));
}

/** Give each family the shortest unique name. */
export function withNames(families) {
  const names = [
    ({ family }) => family.split(".").at(-1),
    ({ family }) => family,
    ({ family, conn_id }) => `${family.split(".").at(-1)} (${conn_id})`,
    ({ family, conn_id }) => `${family} (${conn_id})`,
  ];
  return families.map((family) => {
    const isOnly = (name) => families.filter((other) => name(other) === name(family)).length === 1;
    return { ...family, name: (names.find(isOnly) ?? names.at(-1))(family) };
  });
}

/** Return the description of a version: its name, its moment, and its figures. */
export function describe(job) {
  const { score, validation_loss, training_loss, trained_tokens } = job;
  return [
    format.lastPart(job.model),
    format.moment(ended(job)),
    score != null && `score ${format.score(score)}`,
    validation_loss != null && `validation loss ${format.loss(validation_loss)}`,
    training_loss != null && `training loss ${format.loss(training_loss)}`,
    trained_tokens != null && `${format.whole(trained_tokens)} tokens`,
  ].filter(Boolean);
}
