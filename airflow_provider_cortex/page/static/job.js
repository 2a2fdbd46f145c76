/** The jobs of all accounts, as the page's parts share them. */

import * as clock from "./clock.js";

/** Return the jobs of an answer, newest first, each with its connection and a key of its own. */
export function jobsOf({ accounts }) {
  return accounts
    .flatMap(({ conn_id, jobs }) =>
      jobs.map((job) => ({ ...job, conn_id, key: `${conn_id}\n${job.id}` })),
    )
    .sort((a, b) => (b.created_on ?? 0) - (a.created_on ?? 0));
}

/**
 * Return an answer in which no account knows less than it did before.
 *
 * Airflow's server may be several processes, each of which has asked Snowflake at another time, or not yet.
 */
export function newest(before, answer) {
  const known = new Map(before?.accounts.map((account) => [account.conn_id, account]));
  const accounts = answer.accounts.map((account) => {
    const older = known.get(account.conn_id);
    if ((older?.as_of ?? 0) <= (account.as_of ?? 0)) return account;
    const { jobs, as_of, is_complete } = older;
    return { ...account, jobs, as_of, is_complete };
  });
  return { ...answer, accounts };
}

/** Return for how many seconds a job has run, or did; null if Cortex does not tell. */
export function seconds({ created_on, finished_on, is_finished }) {
  const end = is_finished ? finished_on : clock.now();
  return created_on == null || end == null ? null : (end - created_on) / 1000;
}

/** Return all that Cortex told of a job, to compare: without what only time has changed. */
export const told = (job) => JSON.stringify({ ...job, ends_on: null });
