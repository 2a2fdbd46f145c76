/** The jobs of all accounts, in the form that the parts of the page share. */

import * as clock from "./clock.js";

/**
 * Return the jobs of an answer, newest first, each with its connection, a unique key, and the score
 * of its model.
 */
export function jobsOf({ accounts, scores }) {
  const scoreOf = new Map(scores);
  return accounts
    .flatMap(({ conn_id, jobs }) =>
      jobs.map((job) => {
        const score = scoreOf.get(job.model) ?? null;
        return { ...job, conn_id, key: `${conn_id}\n${job.id}`, score };
      }),
    )
    .sort((a, b) => (b.created_on ?? 0) - (a.created_on ?? 0));
}

/**
 * Return an answer with each account's newest jobs, from this answer or the one before.
 *
 * Airflow's api-server may be several processes, each of which polls Snowflake at its own times.
 * An answer without scores is one of a busy database: the known ones stay.
 */
export function mergeNewest(before, answer) {
  const known = new Map(before?.accounts.map((account) => [account.conn_id, account]));
  const accounts = answer.accounts.map((account) => {
    const older = known.get(account.conn_id);
    if ((older?.as_of ?? 0) <= (account.as_of ?? 0)) return account;
    const { jobs, as_of, is_complete } = older;
    return { ...account, jobs, as_of, is_complete };
  });
  return { ...answer, accounts, scores: answer.scores ?? before?.scores };
}

/** Return how many seconds a job took, or has been running; null if unknown. */
export function seconds({ created_on, finished_on, is_finished }) {
  const end = is_finished ? finished_on : clock.now();
  return created_on == null || end == null ? null : (end - created_on) / 1000;
}

/** Return a text that changes when Cortex reports something new about a job. */
export const fingerprint = (job) => JSON.stringify({ ...job, ends_on: null });
