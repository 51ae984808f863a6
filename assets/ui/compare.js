// The comparison tab: panes on one clock from the lines that the server writes, their texts and figures, and links.
// What visitors, models and files say enters the page through textContent only.
(() => {
  const PANES = 4; // the base, and up to three adapters
  const { make } = window.llada;
  const WORDS = {
    id: {
      empty: "(kosong)", copy: "Salin", copied: "Disalin", system: (text) => `Prompt sistem: ${text}`, base: "Dasar",
      figures: {
        forwards: "Perhitungan", seconds: "Detik", confidence: "Keyakinan rata-rata",
        nats_under_base: "Nat/token (dasar)", repeated_3: "Pengulangan", ended: "Akhir",
      },
      ended: "ditulis sendiri", endless: "tidak ditulis", recorded: "Rekaman", seed: (seed) => `benih ${seed}`,
      marked: "Garis bawah jingga di teks jawaban: berbeda dari jawaban dasar.",
      linked: "Tautan disalin.", byHand: (link) => `Salin tautan ini: ${link}`, pane: "Panel", scores: "Skor terhadap acuan",
    },
    en: {
      empty: "(empty)", copy: "Copy", copied: "Copied", system: (text) => `System prompt: ${text}`, base: "Base",
      figures: {
        forwards: "Forwards", seconds: "Seconds", confidence: "Mean confidence",
        nats_under_base: "Nats/token (base)", repeated_3: "Repetition", ended: "End",
      },
      ended: "its own", endless: "none", recorded: "Recorded", seed: (seed) => `seed ${seed}`,
      marked: "Underlined in vermilion in a text: differs from the answer of the base.",
      linked: "The link was copied.", byHand: (link) => `Copy this link: ${link}`, pane: "Pane",
      scores: "Scores against the reference",
    },
  };
  const DIGITS = { seconds: 1, confidence: 2, nats_under_base: 2 };

  const words = () => (document.documentElement.lang.startsWith("en") ? WORDS.en : WORDS.id);
  let [run, read] = [null, 0]; // whose lines are on the board, and how many of their characters were read
  let stage = null;
  let panes = []; // {section, player, below, slot, told}, the base first; slot: null where it shows nothing
  let told = {}; // what is said around the panes
  let table = null; // scores against the reference
  let wish = ""; // the example or link that is asked for

  function number(value, digits) {
    if (value === null) return "–";
    const language = document.documentElement.lang.startsWith("en") ? "en" : "id";
    return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  // ---- the board ---------------------------------------------------------------------------------------------

  /** The panes, made when they are first needed. */
  function build() {
    const place = document.getElementById("compare-board");
    if (!place) return false;
    if (stage?.isConnected) return true;
    stage = make("div", "compare-stage", place);
    told.head = make("header", "asked", stage);
    const roots = Array.from({ length: PANES }, () => {
      const section = make("section", "pane", stage);
      return { section, root: make("div", "", section), below: make("div", "below", section), slot: null };
    });
    const leader = new window.llada.Player(roots[0].root, { stage });
    panes = roots.map((one, i) => ({
      ...one, player: i ? new window.llada.Player(one.root, { stage, follows: leader }) : leader,
    }));
    told.foot = make("p", "origin", stage);
    return true;
  }

  /** Lines of JSON that grow at their end: {run, heads}, {frames}, {diverges}, ..., {ends}, {below}; or one line
      {run, films, below}. Every list has an entry a pane. */
  function watch(text) {
    if (!text || !build()) return;
    if (text.slice(0, 24) !== run) [run, read] = [text.slice(0, 24), 0];
    const fresh = text.slice(read, text.lastIndexOf("\n") + 1);
    read += fresh.length;
    for (const line of fresh.split("\n").filter(Boolean)) take(JSON.parse(line));
  }

  function take(line) {
    const each = (list, act) => list?.forEach((one, i) => act(panes[i], one, i));
    if (line.run) begin(line);
    each(line.heads, (pane, head) => pane.player.begin(head));
    each(line.frames, (pane, frames) => frames.length && pane.player.add(frames));
    each(line.diverges, (pane, where) => where && pane.player.diverge(where));
    each(line.ends, (pane, end) => pane.player.finish(end));
    if (line.films) {
      each(line.films.slice(1), (_, film, i) => panes[i + 1].player.load(film));
      panes[0].player.load(line.films[0]);
    }
    each(line.below, (pane, below) => { pane.told = below; });
    if (line.below) describe();
  }

  function begin({ slots, system, heads, films }) {
    const first = (heads || films.map((film) => film.head))[0];
    Object.assign(told, { system, question: first.question, about: first.about, recorded: Boolean(films) });
    document.getElementById("compare-board").classList.add("shown");
    panes.forEach((pane, i) => {
      pane.slot = slots[i] ?? null;
      pane.told = null;
      if (pane.slot === null) pane.player.head = null;
    });
    place();
    describe();
  }

  /** Every pane where its slot is, and in that slot's colour. */
  function place() {
    const order = [...panes].sort((a, b) => (a.slot ?? PANES) - (b.slot ?? PANES));
    for (const { section, slot } of order) {
      section.hidden = slot === null;
      section.dataset.slot = slot ?? "";
      stage.insertBefore(section, stage.querySelector(".shared"));
    }
    return order.filter((pane) => pane.slot !== null);
  }

  // ---- what is said around and below the panes ---------------------------------------------------------------

  function describe() {
    if (!stage) return;
    const said = words();
    told.head.replaceChildren();
    make("p", "question", told.head, told.question);
    if (told.system) make("p", "system", told.head, said.system(told.system));
    const { model, date, seed } = told.about;
    const origin = [told.recorded && said.recorded, model, (date || "").slice(0, 10), said.seed(seed)];
    told.foot.textContent = [said.marked, origin.filter(Boolean).join(" · ")].join("\n");
    for (const pane of panes) {
      pane.below.replaceChildren();
      if (pane.told) fill(pane.below, pane.told, said);
    }
  }

  function fill(below, { text, pieces, figures }, said) {
    const answer = make("p", "answer", below, text ? undefined : said.empty);
    for (const [piece, differs] of joined(pieces)) {
      const [, before, core, after] = piece.match(/^(\s*)(.*?)(\s*)$/s);
      answer.append(before);
      if (differs && core) make("mark", "", answer, core);
      else answer.append(core);
      answer.append(after);
    }
    const list = make("dl", "figures", below);
    for (const [name, label] of Object.entries(said.figures)) {
      const figure = make("div", "", list);
      make("dt", "", figure, label);
      make("dd", "", figure, shown(name, figures[name], said));
    }
    const copy = make("button", "copy", below, said.copy);
    copy.type = "button";
    copy.addEventListener("click", async () => {
      if (await clip(text)) copy.textContent = said.copied;
      setTimeout(() => { copy.textContent = said.copy; }, 1500);
    });
  }

  /** Neighbours that both differ, or both do not, as one piece. */
  function joined(pieces) {
    const found = [];
    for (const [text, differs] of pieces) {
      if (found.length && found.at(-1)[1] === differs) found.at(-1)[0] += text;
      else found.push([text, differs]);
    }
    return found;
  }

  function shown(name, value, said) {
    if (name === "ended") return value ? said.ended : said.endless;
    if (name === "repeated_3") return `${number(100 * value, 0)} %`;
    return number(value, DIGITS[name] ?? 0);
  }

  function draw() {
    const place = document.getElementById("compare-scores");
    if (!table || !place) return;
    const said = words();
    place.replaceChildren();
    const frame = make("div", "scores", place);
    Object.assign(frame, { tabIndex: 0, ariaLabel: said.scores });
    frame.setAttribute("role", "region");
    const grid = make("table", "", frame);
    const head = make("tr", "", make("thead", "", grid));
    for (const name of [said.pane, ...table.columns]) make("th", "", head, name).scope = "col";
    const body = make("tbody", "", grid);
    for (const [name, ...values] of table.rows) {
      const row = make("tr", "", body);
      make("th", "", row, name ?? said.base).scope = "row";
      for (const value of values) make("td", "", row, number(value, 3));
    }
    if (table.note) make("p", "", place, table.note);
  }

  // ---- copying and links -------------------------------------------------------------------------------------

  /** Puts a text on the clipboard; false where the browser does not let us. */
  async function clip(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const box = make("textarea", "", document.body, text);
      box.select();
      const done = document.execCommand("copy");
      box.remove();
      return done;
    }
  }

  function ask(text) {
    wish = text;
    document.getElementById("compare-go").click();
  }

  /** Exchanges the panes of two slots; the values are those of the form, which change places too. */
  function swap(left, [name, scale, otherName, otherScale]) {
    for (const pane of panes) {
      if (pane.slot === left) pane.slot = left + 1;
      else if (pane.slot === left + 1) pane.slot = left;
    }
    if (stage) place();
    return [otherName, otherScale, name, scale];
  }

  Object.assign(window.llada, {
    compare: {
      watch,
      ask,
      swap1: (...values) => swap(1, values),
      swap2: (...values) => swap(2, values),

      /** One slider moves all, where the lock is on. */
      together: (lock, moved, ...others) => (lock ? others.map(() => moved) : others),

      /** What is asked for, for the server. */
      wished: (message, language) => [wish, language],

      /** The order of the panes on the screen, for the server. */
      ordered(shown, message, ...others) {
        const order = stage ? place().map((pane) => panes.indexOf(pane)) : [];
        return [null, JSON.stringify(order), ...others];
      },

      async copyLink(text) {
        if (!text) return;
        const link = `${location.origin}${location.pathname}?compare=${encodeURIComponent(text)}`;
        const place = document.getElementById("compare-told");
        place.textContent = (await clip(link)) ? words().linked : words().byHand(link);
        place.classList.add("shown");
      },

      scores(text) {
        table = text ? JSON.parse(text) : null;
        draw();
      },
    },
  });

  new MutationObserver(() => {
    if (told.about) describe();
    draw();
  }).observe(document.documentElement, { attributeFilter: ["lang"] });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelector("#compare-prompt .stop-button")?.click();
  });

  // A row of the section with many prompts, to be looked at step by step.
  document.addEventListener("llada-compare", ({ detail: { prompt, adapters, options } }) => {
    document.querySelector("#compare-tabs > .tab-wrapper [role=tab]").click();
    ask(JSON.stringify({ prompt, adapters, options }));
  });

  // A link opens a comparison: ?compare={...}, as soon as its tab and the page's language are there.
  const linked = new URLSearchParams(location.search).get("compare");
  if (!linked) return;
  let clicked = 0;

  /** The button of the fourth tab; on a narrow screen it is in the menu of those that find no room. */
  function tab() {
    const bar = document.querySelector("#tabs > .tab-wrapper");
    return [...(bar?.querySelectorAll("[role=tab], .overflow-dropdown button") ?? [])][3];
  }

  const waiting = new MutationObserver(() => {
    if (!document.getElementById("compare-go")) {
      if (performance.now() - clicked < 300) return;
      clicked = performance.now();
      tab()?.click();
    } else if (document.querySelector("#language textarea, #language input")?.value === document.documentElement.lang) {
      waiting.disconnect();
      ask(linked);
    }
  });
  waiting.observe(document.documentElement, { subtree: true, childList: true, attributes: true });
})();
