/** Whether a panel covers the page or stands beside it, and what follows from that. */

import { setAttribute } from "./dom.js";

/**
 * Keeps a page's covered part out of reach.
 *
 * A style sheet decides by the available width whether the panel covers the page: so this measures.
 */
export class Cover {
  #panel;
  #page;
  #onCover;
  #isCovering = null;

  /**
   * @param {Element} panel
   * @param {Element} page an element as wide as the page's content
   * @param {() => void} onCover called when the panel begins to cover the page
   */
  constructor(panel, page, onCover) {
    this.#panel = panel;
    this.#page = page;
    this.#onCover = onCover;
    const observer = new ResizeObserver(() => this.update());
    observer.observe(panel);
    observer.observe(page);
  }

  /** Call this after showing or hiding the panel. */
  update() {
    const isCovering = !this.#panel.hidden && overlap(this.#panel, this.#page);
    if (isCovering === this.#isCovering) return;
    this.#isCovering = isCovering;
    setAttribute(this.#panel, "role", isCovering ? "dialog" : "complementary");
    setAttribute(this.#panel, "aria-modal", isCovering ? "true" : null);
    for (const element of this.#panel.parentElement.children) {
      if (element !== this.#panel) element.inert = isCovering;
    }
    if (isCovering) this.#onCover();
  }
}

function overlap(panel, page) {
  const [a, b] = [panel, page].map((element) => element.getBoundingClientRect());
  return a.left < b.right - 1 && b.left < a.right - 1; // they may share a fraction of a pixel
}
