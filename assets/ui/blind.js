// The blind vote: two boards of plain text without names, keys for the choice, and after it names and standings.
(() => {
  const { make } = window.llada;
  const WORDS = {
    id: {
      boards: "Dua jawaban tanpa nama", sides: ["Kiri", "Kanan"], base: "Model dasar",
      empty: "Tulis pertanyaan, atau biarkan kami mengejutkan Anda. Dua penjawab yang diundi menulis berdampingan tanpa "
        + "nama. Pilih yang lebih baik; baru sesudah itu namanya dibuka.",
      writing: "Keduanya sedang menulis…", stopped: "Dihentikan, jadi tidak ada yang dapat dinilai.",
      whole: "Mana yang lebih baik? Tekan 1, 2, 3, atau 4, atau salah satu tombol.",
      equal: "Kedua jawaban sama persis. Tekan 3 untuk seri.", blank: "(kosong)",
      choices: {
        left: "Anda memilih kiri", right: "Anda memilih kanan", tie: "Anda memilih seri",
        both_bad: "Anda menilai keduanya buruk",
      },
      thanks: "Terima kasih, suara Anda dicatat.", lost: "Suara Anda tidak dapat dicatat.",
      standings: "Kedudukan", systems: "Setiap penjawab melawan semua yang lain", pairs: "Setiap pasangan",
      system: "Penjawab", pair: "Pasangan", versus: (a, b) => `${a} lawan ${b}`, votes: "Suara", wins: "Menang",
      losses: "Kalah", ties: "Seri", both_bad: "Keduanya buruk", rate: "Bagian kemenangan",
      undecided: "belum ada yang menentukan",
      legend: "Bagian kemenangan dari suara yang menentukan (tanpa seri dan tanpa keduanya buruk), dengan selang Wilson 95 % "
        + "dalam kurung. Selama selang itu memuat 50 %, belum ada yang terbukti lebih baik.",
    },
    en: {
      boards: "Two answers without names", sides: ["Left", "Right"], base: "Base",
      empty: "Ask something, or let us surprise you. Two answerers, drawn at random, write side by side without names. "
        + "Choose the better one; only then are the names told.",
      writing: "Both are writing…", stopped: "Stopped, so there is nothing to vote on.",
      whole: "Which one is better? Press 1, 2, 3 or 4, or one of the buttons.",
      equal: "Both answers are exactly the same. Press 3 for a tie.", blank: "(blank)",
      choices: {
        left: "You chose left", right: "You chose right", tie: "You chose a tie", both_bad: "You found both bad",
      },
      thanks: "Thank you, your vote is kept.", lost: "Your vote could not be kept.",
      standings: "Standings", systems: "Everyone who answers against all others", pairs: "Every pair",
      system: "Who answers", pair: "Pair", versus: (a, b) => `${a} against ${b}`, votes: "Votes", wins: "Won",
      losses: "Lost", ties: "Ties", both_bad: "Both bad", rate: "Share of wins",
      undecided: "none decided yet",
      legend: "Wins as a share of the decided votes (without ties and both bad), with the Wilson 95 % interval in brackets. "
        + "While that interval holds 50 %, nobody is shown to be better.",
    },
  };
  const BUTTONS = ["left", "right", "tie", "both-bad"]; // keys 1 to 4
  let language = "id";
  let shown = null; // what the server told last

  /** Our element inside a component of the page; null while its tab was never opened. */
  function place(id) {
    const component = document.getElementById(id);
    if (!component) return null;
    return component.querySelector(".blind") || make("div", "blind", component);
  }

  function percent(value) {
    return `${(100 * value).toLocaleString(language, { maximumFractionDigits: 0 })} %`;
  }

  // ---- boards ------------------------------------------------------------------------------------------------

  /** The boards, made once and again in another language. */
  function boards() {
    const root = place("blind-boards");
    if (!root || (root.dataset.language === language && root.firstElementChild)) return root;
    const words = WORDS[language];
    root.dataset.language = language;
    root.replaceChildren();
    const group = make("div", "boards", root);
    group.tabIndex = -1;
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", words.boards);
    for (const side of words.sides) {
      const board = make("section", "board", group);
      const head = make("h3", "", board);
      make("span", "side", head, side);
      make("span", "name", head);
      make("p", "text", board);
    }
    make("p", "hint", root).setAttribute("role", "status");
    return root;
  }

  function hint() {
    const words = WORDS[language];
    if (!shown) return words.empty;
    if (shown.state === "revealed") return `${words.choices[shown.choice]}. ${shown.kept ? words.thanks : words.lost}`;
    return shown.state === "whole" && shown.equal ? words.equal : words[shown.state];
  }

  /** A board does not shrink under the eyes of who reads: masks that end an answer leave their room. */
  function keep(board) {
    if (board.dataset.pair !== shown.pair) board.style.minHeight = "";
    board.dataset.pair = shown.pair;
    const height = board.offsetHeight;
    if (height > (parseFloat(board.style.minHeight) || 0)) board.style.minHeight = `${height}px`;
  }

  function draw() {
    const root = boards();
    if (!root) return;
    const words = WORDS[language];
    root.dataset.state = shown?.state ?? "empty";
    root.querySelectorAll(".board").forEach((board, at) => {
      const text = shown?.texts[at] ?? "";
      const blank = !text && ["whole", "revealed"].includes(shown?.state);
      if (shown?.state === "writing") keep(board);
      const node = board.querySelector(".text");
      node.textContent = blank ? words.blank : text;
      node.classList.toggle("blank", blank);
      board.classList.toggle("chosen", shown?.choice === ["left", "right"][at]);
      const revealed = shown?.state === "revealed";
      board.querySelector(".name").textContent = revealed ? shown.names[at] ?? words.base : "";
      board.classList.toggle("base", revealed && shown.names[at] === null);
    });
    const said = root.querySelector(".hint");
    if (said.textContent !== hint()) said.textContent = hint();
    standings();
  }

  // ---- standings ---------------------------------------------------------------------------------------------

  function named({ adapter, mark }) {
    return `${adapter ?? WORDS[language].base}${mark ? ` (${mark})` : ""}`;
  }

  function rate(cell, row) {
    if (row.rate === null) {
      make("span", "none", cell, WORDS[language].undecided);
      return;
    }
    const bar = make("span", "bar", cell);
    bar.setAttribute("aria-hidden", "true");
    make("span", "middle", bar);
    const interval = make("span", "interval", bar);
    interval.style.left = `${100 * row.low}%`;
    interval.style.width = `${100 * (row.high - row.low)}%`;
    make("span", "dot", bar).style.left = `${100 * row.rate}%`;
    make("span", "rate", cell, percent(row.rate));
    make("span", "spread", cell, ` [${percent(row.low)} – ${percent(row.high)}]`);
  }

  function table(parent, caption, first, rows, name, figures) {
    const words = WORDS[language];
    const frame = make("div", "frame", parent);
    frame.tabIndex = 0; // it scrolls where it is wider than the page
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", caption);
    const node = make("table", "", frame);
    make("caption", "", node, caption);
    const head = make("tr", "", make("thead", "", node));
    for (const title of [first, words.rate, ...figures.map((figure) => words[figure])]) {
      make("th", "", head, title).scope = "col";
    }
    const body = make("tbody", "", node);
    for (const row of rows) {
      const line = make("tr", "", body);
      make("th", "", line, name(row)).scope = "row";
      rate(make("td", "", line), row);
      for (const figure of figures) make("td", "figure", line, String(row[figure]));
    }
  }

  function standings() {
    const root = place("blind-standings");
    const told = shown?.state === "revealed" ? shown.standings : null;
    root.replaceChildren();
    if (!told) return;
    const words = WORDS[language];
    make("h3", "", root, words.standings);
    table(root, words.systems, words.system, told.systems, named, ["votes", "wins", "losses"]);
    make("p", "legend", root, words.legend);
    const fold = make("details", "", root);
    make("summary", "", fold, words.pairs);
    const pair = (row) => words.versus(named(row.first), named(row.second));
    table(fold, words.pairs, words.pair, told.pairs, pair, ["votes", "wins", "losses", "ties", "both_bad"]);
  }

  // ---- keys --------------------------------------------------------------------------------------------------

  document.addEventListener("keydown", (event) => {
    const at = ["1", "2", "3", "4"].indexOf(event.key);
    if (at < 0 || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const section = document.getElementById("blind");
    const { activeElement: here } = document;
    if (!section?.checkVisibility() || !(here === document.body || section.contains(here))) return;
    if (here.matches("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable=true]")) return;
    const button = document.getElementById(`blind-${BUTTONS[at]}`);
    if (!button.disabled) button.click();
  });

  Object.assign(window.llada, {
    blind: {
      /** {pair, state, texts, ...}: see Ballot in ui/blind.py. */
      take(text) {
        if (!text) return;
        const before = shown?.pair;
        shown = JSON.parse(text);
        draw();
        // Who has asked goes on to the boards, where the keys of the vote are heard.
        const asked = document.activeElement?.closest?.("#blind-question, #blind-surprise");
        if (shown.pair !== before && asked) boards().querySelector(".boards").focus({ preventScroll: true });
      },

      speak(spoken) {
        language = spoken === "en" ? "en" : "id";
        if (document.querySelector("#blind-boards .blind")) draw();
      },

      /** A file from the server: {kind, data in base64}. */
      save(text) {
        if (!text) return;
        const { kind, data } = JSON.parse(text);
        const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
        window.llada.save(bytes, `llada-votes.${kind}`, kind === "csv" ? "text/csv" : "application/json");
      },
    },
  });

  // Who opens the tab is told what will stand there.
  const waiting = new MutationObserver(() => {
    if (!document.getElementById("blind-boards")?.checkVisibility()) return;
    waiting.disconnect();
    draw();
  });
  waiting.observe(document.documentElement, { subtree: true, childList: true, attributes: true });
})();
