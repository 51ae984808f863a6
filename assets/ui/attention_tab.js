// The attention tab: between the explorer on the page and the server, which is asked one thing at a time.
(() => {
  const PATIENCE = 15000;
  const waiting = []; // what is to be asked: objects, oldest first
  let asked = null; // what the server is working on
  let since = 0; // when it was asked; after PATIENCE without an answer the next may be asked
  let source = null; // what is on the panes: {text, unit, example} or {trace, step, unit}
  const reel = new Reel("attention-player");

  function explorer() {
    const place = document.getElementById("attention-board");
    if (!place.firstElementChild?.llada) {
      place.replaceChildren(document.createElement("div"));
      new window.llada.Attention(place.firstElementChild, { ask });
    }
    return place.firstElementChild.llada;
  }

  function ask(want) {
    // Of steps only the latest is of interest: who scrubs does not wait for all of them.
    if (want.step !== undefined) waiting.splice(0, waiting.length, ...waiting.filter((one) => one.step === undefined));
    waiting.push(want);
    next();
  }

  function next() {
    if (!waiting.length || (asked && performance.now() - since < PATIENCE)) return;
    asked = waiting.shift();
    since = performance.now();
    document.getElementById("attention-send").click();
  }

  /** The board's step is the explorer's. */
  function follow(event) {
    if (!source?.trace || event.detail === source.step) return;
    ask({ want: "read", step: event.detail });
  }

  Object.assign(window.llada, {
    attention: {
      /** What is asked, for the server: it, and what it is asked about. */
      asked(message, trace, language) {
        return [JSON.stringify({ ...source, ...asked }), null, language];
      },

      /** A recording from the visitor's disk. */
      open(message, language) {
        return window.llada.unmasking.open(message, language);
      },

      /** What the server says: {record, source, film?, word?}, {heads | ranks | guesses | page}, or {failed}. */
      take(text) {
        if (!text) return;
        const data = JSON.parse(text);
        asked = null;
        const board = explorer();
        if (data.record) {
          source = data.source;
          const player = document.getElementById("attention-player");
          player.classList.toggle("shown", Boolean(source.trace));
          board.unit = source.unit;
          if (data.film) {
            reel.player.root.removeEventListener("step", follow);
            reel.player.load(data.film, source.step);
            reel.player.root.addEventListener("step", follow);
          }
          board.show(data.record, data.word === undefined ? undefined : [data.word].filter((at) => at >= 0));
        } else if (data.page) window.llada.save(data.page, "llada-attention.html", "text/html");
        else board.answer(data);
        next();
      },
    },
  });

  // Who opens the tab finds a sentence on the panes.
  let begun = false;
  new MutationObserver(() => {
    const first = document.querySelector("#attention-examples input[type=radio]");
    if (begun || !first || !first.checkVisibility()) return;
    begun = true;
    if (!source) first.click();
  }).observe(document.documentElement, { subtree: true, childList: true, attributes: true });
})();
