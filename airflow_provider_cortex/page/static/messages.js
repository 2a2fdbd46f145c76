/** What is wrong, or going on, with the accounts: one box each, above the table. */

import { h, mark, say } from "./dom.js";
import * as words from "./words.js";

const SETTING =
  "[cortex] jobs_page_conn_ids (or AIRFLOW__CORTEX__JOBS_PAGE_CONN_IDS), separated by commas.";
const ADMIN = "under Admin → Connections (type Snowflake)";

export class Messages {
  #element;
  #boxes = new Map();

  constructor(element) {
    this.#element = element;
  }

  /** Show what there is to tell; a box that stays is not announced again. */
  show(answer, trouble) {
    const messages = [...ofTrouble(trouble), ...(answer ? ofAccounts(answer.accounts) : [])];
    const keys = new Set(messages.map((message) => message.key));
    for (const [key, box] of this.#boxes) {
      if (!keys.has(key)) this.#drop(key, box);
    }
    for (const { key, text, isError } of messages) {
      const box = this.#boxes.get(key) ?? this.#add(key);
      mark(box, "role", isError ? "alert" : "status");
      say(box, text);
    }
  }

  #add(key) {
    const box = h("p", {});
    this.#boxes.set(key, box);
    this.#element.append(box);
    return box;
  }

  #drop(key, box) {
    box.remove();
    this.#boxes.delete(key);
  }
}

function ofTrouble(trouble) {
  return trouble ? [{ key: "", text: trouble.message, isError: true }] : [];
}

function ofAccounts(accounts) {
  if (!accounts.length) {
    const remedy = `Create one ${ADMIN}, and name it in Airflow's configuration: ${SETTING}`;
    return [{ key: "none", text: `No connection is named. ${remedy}` }];
  }
  return accounts.flatMap((account) => {
    const message = ofAccount(account);
    return message ? [{ key: `of ${account.conn_id}`, ...message }] : [];
  });
}

function ofAccount({ conn_id, error, is_missing, is_loading, as_of, jobs }) {
  if (is_missing) {
    const remedy = `Create it ${ADMIN}, or name the ones to look at in Airflow's configuration: ${SETTING}`;
    return { text: `Airflow has no connection “${conn_id}”. ${remedy}` };
  }
  if (error) {
    const old = jobs.length && as_of ? `\nWhat is shown is from ${words.time(as_of).slice(0, 5)}.` : "";
    return { text: `${conn_id}: ${error}${old}`, isError: true };
  }
  if (is_loading && !jobs.length) return { text: `Asking Snowflake through ${conn_id} …` };
  return null;
}
