/** Problems and progress of the accounts: one box each, above the table. */

import { h, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";

const SETTING =
  "[cortex] jobs_page_conn_ids (or AIRFLOW__CORTEX__JOBS_PAGE_CONN_IDS), separated by commas.";
const ADMIN = "under Admin → Connections (type Snowflake)";

export class Messages {
  #element;
  #boxes = new Map();

  constructor(element) {
    this.#element = element;
  }

  /** Show all messages; screen readers announce a box once. */
  show(answer, error) {
    const messages = [...ofError(error), ...(answer ? ofAccounts(answer.accounts) : [])];
    const keys = new Set(messages.map((message) => message.key));
    for (const [key, box] of this.#boxes) {
      if (!keys.has(key)) this.#remove(key, box);
    }
    for (const { key, text, isError } of messages) {
      const box = this.#boxes.get(key) ?? this.#add(key);
      setAttribute(box, "role", isError ? "alert" : "status");
      setText(box, text);
    }
  }

  #add(key) {
    const box = h("p", {});
    this.#boxes.set(key, box);
    this.#element.append(box);
    return box;
  }

  #remove(key, box) {
    box.remove();
    this.#boxes.delete(key);
  }
}

function ofError(error) {
  return error ? [{ key: "", text: error.message, isError: true }] : [];
}

function ofAccounts(accounts) {
  if (!accounts.length) {
    const advice = `Create one ${ADMIN}, and add it to Airflow's configuration: ${SETTING}`;
    return [{ key: "none", text: `No connection is configured. ${advice}` }];
  }
  return accounts.flatMap((account) => {
    const message = ofAccount(account);
    return message ? [{ key: `of ${account.conn_id}`, ...message }] : [];
  });
}

function ofAccount({ conn_id, error, is_missing, is_loading, as_of, jobs }) {
  if (is_missing) {
    const advice = `Create it ${ADMIN}, or change Airflow's configuration: ${SETTING}`;
    return { text: `Airflow has no connection “${conn_id}”. ${advice}` };
  }
  if (error) {
    const time = jobs.length && as_of ? format.time(as_of).slice(0, 5) : null;
    const age = time ? `\nThe jobs shown here are from ${time}.` : "";
    return { text: `${conn_id}: ${error}${age}`, isError: true };
  }
  if (is_loading && !jobs.length) return { text: `Loading the jobs of ${conn_id} …` };
  return null;
}
