/** Problems and progress of the accounts: one message each, above the table. */

import * as clock from "./clock.js";
import * as format from "./format.js";
import { Message } from "./message.js";

const ADMIN = "under Admin → Connections (type Snowflake)";
const SETTING =
  "[cortex] jobs_page_conn_ids (or AIRFLOW__CORTEX__JOBS_PAGE_CONN_IDS), ids separated by commas";

export class Messages {
  #element;
  #shown = new Map();

  constructor(element) {
    this.#element = element;
  }

  /** Show why the last request failed, if it did, and what there is to say about the accounts. */
  show(answer, error) {
    const contents = answer ? ofAccounts(answer.accounts) : [];
    const keys = new Set(contents.map(({ key }) => key));
    if (error) keys.add("");
    for (const key of this.#shown.keys()) {
      if (!keys.has(key)) this.#remove(key);
    }
    if (error) this.#get("").showError(error);
    for (const { key, ...content } of contents) this.#get(key).show(content);
  }

  #get(key) {
    if (!this.#shown.has(key)) {
      const message = new Message();
      this.#shown.set(key, message);
      // The failed request first: it concerns all accounts.
      this.#element[key ? "append" : "prepend"](message.element);
    }
    return this.#shown.get(key);
  }

  #remove(key) {
    this.#shown.get(key).element.remove();
    this.#shown.delete(key);
  }
}

function ofAccounts(accounts) {
  if (!accounts.length) {
    return [{ key: "none", text: "No connection is configured for this page.", hint: ADVICE.none }];
  }
  return accounts.flatMap((account) => {
    const content = ofAccount(account);
    return content ? [{ key: `of ${account.conn_id}`, ...content }] : [];
  });
}

const ADVICE = {
  none:
    `Create one ${ADMIN}. Then set ${SETTING}, in the configuration of Airflow's API server, and` +
    " restart it.",
  missing:
    `Create it ${ADMIN} and press Refresh. Or correct ${SETTING}, in the configuration of` +
    " Airflow's API server, and restart it.",
};

function ofAccount(account) {
  const { conn_id, error, error_details, is_missing, is_loading, as_of } = account;
  if (is_missing) {
    return { text: `Airflow has no connection “${conn_id}”.`, hint: ADVICE.missing };
  }
  if (error) {
    return { text: error, hint: hintOf(account), details: error_details, isError: true };
  }
  if (is_loading && as_of === null) return { text: `Loading the jobs of ${conn_id} …` };
  return null;
}

/** Return what to do, when the next try is, and how old the jobs of a failing account are. */
function hintOf({ error_hint, is_login_rejected, retry_at, as_of, jobs }) {
  const next = is_login_rejected ? "The next login is at" : "The next try is at";
  const sentences = [
    error_hint,
    retry_at > clock.now() && `${next} ${format.time(retry_at)}.`,
    jobs.length && as_of && `The jobs shown here are from ${format.moment(as_of)}.`,
  ];
  return sentences.filter(Boolean).join(" ");
}
