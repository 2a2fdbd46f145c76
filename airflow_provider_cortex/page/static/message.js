/** One message: a sentence, what to do next, and details that are folded away. */

import { h, setAttribute, setText } from "./dom.js";
import { linkToLogin } from "./frame.js";

const MAX_DETAILS = 2048; // characters

export class Message {
  #text = h("p");
  #hint = h("p", { class: "hint" });
  #login = h("p", {}, h("a", linkToLogin(), "Log in again"));
  #driver = h("pre");
  #details = h("details", {}, h("summary", {}, "Details"), this.#driver);

  element = h("div", { class: "message" }, this.#text, this.#hint, this.#login, this.#details);

  /** Show a message. Screen readers announce the sentence, and only if it differs. */
  show({ text, hint = null, details = null, isError = false, isSessionOver = false }) {
    this.element.classList.toggle("is-error", isError);
    setAttribute(this.#text, "role", isError ? "alert" : "status");
    setText(this.#text, text);
    showText(this.#hint, hint);
    this.#login.hidden = !isSessionOver;
    this.#details.hidden = !details;
    setText(this.#driver, cut(details ?? ""));
  }

  /** Show why a request failed. */
  showError({ message, hint, details, isSessionOver }) {
    this.show({ text: message, hint, details, isError: true, isSessionOver });
  }
}

function showText(element, text) {
  element.hidden = !text;
  setText(element, text ?? "");
}

const cut = (text) => (text.length > MAX_DETAILS ? `${text.slice(0, MAX_DETAILS)} …` : text);
