/** The jobs of all accounts, as the page's parts share them. */

import * as clock from "./clock.js";

/** Return the jobs of an answer, newest first, each with its connection and a key of its own. */
export function jobsOf({ now, accounts }) {
  return accounts
    .flatMap(({ conn_id, jobs }) =>
      jobs.map(({ seconds_left, ...job }) => ({
        ...job,
        conn_id,
        key: `${conn_id}\n${job.id}`,
        // A moment, unlike seconds, is still right when they are shown.
        ends_on: seconds_left == null ? null : now + seconds_left * 1000,
      })),
    )
    .sort((a, b) => (b.created_on ?? 0) - (a.created_on ?? 0));
}

/** Return for how many seconds a job has run, or did; null if Cortex does not tell. */
export function seconds({ created_on, finished_on, is_over }) {
  const end = is_over ? finished_on : clock.now();
  return created_on == null || end == null ? null : (end - created_on) / 1000;
}

/** Return all that Cortex told of a job, to compare: without what only time has changed. */
export const told = (job) => JSON.stringify({ ...job, ends_on: null });
