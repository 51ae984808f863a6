// What the server answered about locked words, as elements: all heads ranked, and what the model would write.
(() => {
  const SHOWN = 8; // heads of a ranking

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  /** The first heads of a ranking beside their control; a click opens one. */
  function ranking(explorer, { ranks, control, causal }) {
    const { words } = explorer;
    const { percent } = window.llada.attentionWords;
    const sorted = ranks.map((rank) => rank.share).sort((a, b) => a - b);
    const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
    const table = make("table", "ranks");
    const head = make("tr");
    for (const text of [words.layer, words.head, words.full, words.control(explorer.face(control)), words.causal]) {
      head.append(make("th", "", text));
    }
    table.append(head);
    for (const { layer, head: number, share, control: beside } of ranks.slice(0, SHOWN)) {
      const row = make("tr");
      const other = causal.find((one) => one.layer === layer && one.head === number);
      const open = make("button", "", String(number + 1));
      open.type = "button";
      open.setAttribute("aria-label", `${words.layer} ${layer + 1}, ${words.head} ${number + 1}`);
      open.addEventListener("click", () => explorer.set({ layer, head: number }));
      const cell = make("td");
      cell.append(open);
      row.append(make("td", "", String(layer + 1)), cell,
        ...[share, beside, other.share].map((one) => make("td", "", percent(one))));
      table.append(row);
    }
    return [table, make("p", "hint", words.ranked(ranks.length, percent(median)))];
  }

  /** The likeliest words at a masked place, under both masks, and those that are watched. */
  function guesses(explorer, { guesses: found }) {
    const { words } = explorer;
    const columns = make("div", "guesses");
    for (const { text, regime, best, watched } of found) {
      const column = make("section", "guess");
      column.append(make("h4", "", words[regime]), make("p", "sentence", text), bars(best, "best"));
      if (watched.length) column.append(make("p", "hint", words.watched), bars(watched, "watched"));
      columns.append(column);
    }
    return [columns];
  }

  function bars(rows, name) {
    const { face, percent } = window.llada.attentionWords;
    const list = make("ul", name);
    for (const [word, share] of rows) {
      const item = make("li");
      item.style.setProperty("--share", share);
      item.append(make("span", "", face(word)), make("span", "number", percent(share)));
      list.append(item);
    }
    return list;
  }

  window.llada = window.llada || {};
  window.llada.attentionAnswers = { ranking, guesses };
})();
