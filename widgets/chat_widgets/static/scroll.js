/** Scroll: the transcript keeps to its end, but only while the reader is there. */

const NEAR = 32;

/** Keeps a scrolling box at the end of its content until its reader scrolls away. */
export class Bottom {
  #content;
  #atEnd = true;
  #last = 0;
  #watcher;

  /**
   * @param {HTMLElement} box what scrolls.
   * @param {HTMLElement} content what grows in it.
   * @param {HTMLElement} jump the button that leads back to the end.
   */
  constructor(box, content, jump) {
    this.box = box;
    this.#content = content;
    this.jump = jump;
    box.addEventListener("scroll", () => this.#look(), { passive: true });
    jump.addEventListener("click", () => this.follow());
    // After layout and before paint: nothing is measured twice, and no jump is seen.
    this.#watcher = new ResizeObserver(() => this.#keep());
    this.#watcher.observe(box);
    this.#watcher.observe(content);
  }

  /** Goes to the end, and stays there. */
  follow() {
    this.#atEnd = true;
    this.#keep();
  }

  stop() {
    this.#watcher.disconnect();
  }

  #keep() {
    if (this.#atEnd) {
      this.box.scrollTop = this.#content.offsetHeight;
      this.#last = this.box.scrollTop;
    }
    this.jump.hidden = this.#atEnd;
  }

  /** Only who scrolls up leaves: the content may have grown since we went to its end. */
  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.box;
    if (scrollHeight - scrollTop - clientHeight < NEAR) this.#atEnd = true;
    else if (scrollTop < this.#last) this.#atEnd = false;
    this.#last = scrollTop;
    this.jump.hidden = this.#atEnd;
  }
}
