/** Buttons that copy a text. */

import { h, setAttribute, setText } from "./dom.js";

const DONE_SECONDS = 2;

/**
 * Return a button that copies what Cortex sent, as it was sent.
 *
 * @param {string} what names the text for screen readers
 * @param {() => string} read returns the text
 * @param {Element} shown where it is shown: selected, for Ctrl-C, if the browser does not copy
 */
export function copyButton(what, read, shown) {
  const button = h("button", { type: "button", class: "copy" });
  const label = (verb) => {
    setText(button, verb);
    setAttribute(button, "aria-label", `${verb} ${what}`);
  };
  let timer;
  button.addEventListener("click", async () => {
    if (!(await copy(read()))) {
      getSelection().selectAllChildren(shown);
      return;
    }
    label("Copied");
    clearTimeout(timer);
    timer = setTimeout(label, DONE_SECONDS * 1000, "Copy");
  });
  label("Copy");
  return button;
}

/** Copy a text; return whether the browser did. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByCommand(text); // browsers have no clipboard object for Airflow over plain HTTP
  }
}

function copyByCommand(text) {
  const fill = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", fill);
  try {
    return document.execCommand("copy");
  } finally {
    document.removeEventListener("copy", fill);
  }
}
