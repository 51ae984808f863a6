// The attention explorer: two panes of one text, full and causal. The words are elements of the page; fills, arcs and
// matrices are drawn on one canvas behind them (attention_shapes.js), and hovering redraws the canvas and nothing else.
// The numbers are of attention_shares.js. Text enters the page through textContent only.
(() => {
  const { WORDS, BLANK, face, percent } = window.llada.attentionWords;
  const PANES = { scheme: ["full", "causal", "blocks"], other: ["full", "causal"] };
  const LABELS = 92; // pixels for the words beside a matrix
  const CROWD = 48; // words from which on they are set smaller
  const NAMED = 3; // words in a sentence about a row

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  class Attention {
    /** options.ask(want): asks the server for more, an object; without it the record is all there is. */
    constructor(root, options = {}) {
      this.root = root;
      this.ask = options.ask || null;
      this.view = "arcs";
      this.layer = "mean"; // "mean", "rollout", or a number from 0
      this.head = "mean"; // "mean", "max", or a number from 0
      this.unit = "words";
      this.fade = true;
      this.keep = { by: "mass", mass: 0.5, share: 0.05, relation: "either" };
      this.block = 4;
      this.locked = new Set();
      this.over = null;
      this.preview = null; // {layer, head} of the thumbnail under the pointer
      this.build();
      root.llada = this;
      new MutationObserver(() => this.relabel()).observe(document.documentElement, { attributeFilter: ["lang"] });
      new MutationObserver(() => this.draw()).observe(document.body, { attributeFilter: ["class"] });
      new ResizeObserver(() => this.measure()).observe(this.panes);
    }

    get words() {
      return WORDS[document.documentElement.lang === "en" ? "en" : "id"];
    }

    // ---- data ----------------------------------------------------------------------------------------------

    /** A new record, with these words locked; or those that were, where the text has as many words as before. */
    show(record, locked) {
      if (locked) this.locked = new Set(locked);
      else if (this.record?.words.length !== record.words.length) this.locked.clear();
      this.record = record;
      this.numbers = new window.llada.Shares(record);
      this.size = record.words.length;
      this.over = null;
      this.boards = null; // the panes still show the text before
      this.answers.replaceChildren();
      if (typeof this.layer === "number" && this.layer >= record.layers) this.layer = "mean";
      if (typeof this.head === "number" && this.head >= record.heads) this.head = "mean";
      this.want();
      this.relabel();
      this.lay();
    }

    /** What the server answered: the heads of a layer, a ranking, or guesses. */
    answer(data) {
      if (data.heads) {
        this.numbers.learn(data.layer, data.heads);
        this.thumbnails();
        this.draw();
      }
      const { ranking, guesses } = window.llada.attentionAnswers;
      if (data.ranks) this.answers.replaceChildren(...ranking(this, data));
      if (data.guesses) this.answers.replaceChildren(...guesses(this, data));
    }

    /** Asks for the heads of the layer, if they are needed and not here. */
    want() {
      const { layer } = this;
      if (typeof layer !== "number" || this.numbers.has(layer)) return;
      if (this.ask) this.ask({ want: "layer", layer });
    }

    /** Shares of a regime, row by row, for the layer and head that are chosen. */
    matrix(regime, at = this.preview || this) {
      return this.numbers.matrix(regime, at);
    }

    /** May the word `i` look at the word `j`? */
    allowed(regime, i, j) {
      if (regime === "full") return true;
      if (regime === "causal") return j <= i;
      return Math.floor(j / this.block) <= Math.floor(i / this.block);
    }

    /** The words that everything is shown for: the one under the pointer, or all that are locked. */
    get active() {
      if (this.over !== null && !this.locked.has(this.over)) return [this.over];
      return this.locked.size ? [...this.locked].sort((a, b) => a - b) : [];
    }

    /** What the active words look at and what looks at them, word by word: shares, or in the scheme 1 for may. */
    shares(regime) {
      const { active } = this;
      if (this.view !== "scheme") return this.numbers.around(active, this.matrix(regime));
      const may = (test) => Float32Array.from({ length: this.size }, (_, j) => Number(active.some((i) => test(i, j))));
      return { to: may((i, j) => this.allowed(regime, i, j)), from: may((i, j) => this.allowed(regime, j, i)) };
    }

    sinks(regime) {
      return this.fade && this.view !== "scheme" ? new Set(this.numbers.seen[regime]?.sinks) : new Set();
    }

    /** The words that stay in the view with blanks: those that relate most to the active ones. */
    kept(regime) {
      const { active, keep } = this;
      const { to, from } = this.shares(regime);
      const sinks = this.sinks(regime);
      const strength = (j) => ({ to: to[j], from: from[j], either: Math.max(to[j], from[j]) })[keep.relation];
      const others = [];
      for (let j = 0; j < this.size; j += 1) {
        if (!active.includes(j) && !sinks.has(j) && this.says(j)) others.push(j);
      }
      const kept = new Set(active);
      if (keep.by === "share") for (const j of others) if (strength(j) >= keep.share) kept.add(j);
      if (keep.by === "mass") {
        const total = others.reduce((sum, j) => sum + strength(j), 0);
        let held = 0;
        for (const j of others.sort((a, b) => strength(b) - strength(a))) {
          if (held >= keep.mass * total || !strength(j)) break;
          held += strength(j);
          kept.add(j);
        }
      }
      return kept;
    }

    /** How a word is shown. */
    face(j) {
      return face(this.record.words[j], this.record.kinds[j]);
    }

    /** Is it a word, and not a sign or a token of the template? */
    says(j) {
      return this.record.kinds[j] === "text" && /[\p{L}\p{N}]/u.test(this.record.words[j]);
    }

    // ---- choosing ------------------------------------------------------------------------------------------

    hover(at) {
      if (this.over === at) return;
      this.over = at;
      this.draw();
    }

    lock(at) {
      if (!this.locked.delete(at)) this.locked.add(at);
      this.tools();
      this.draw();
    }

    set(changes) {
      Object.assign(this, changes);
      if (changes.layer !== undefined && typeof changes.layer !== "number") this.head = "mean";
      this.preview = null;
      if (changes.view) this.boards = null; // other panes come
      if (changes.unit) this.ask({ want: "read", unit: changes.unit });
      this.want();
      this.relabel();
      if (changes.view) this.lay();
    }

    // ---- the page ------------------------------------------------------------------------------------------

    build() {
      this.root.classList.add("attention");
      this.root.tabIndex = -1;
      this.bar = make("div", "bar");
      this.panes = make("div", "panes");
      this.canvas = make("canvas", "ink");
      this.canvas.setAttribute("aria-hidden", "true");
      this.legend = make("p", "legend");
      this.hint = make("p", "hint");
      this.thumbs = make("div", "thumbs");
      this.actions = make("div", "tools");
      this.answers = make("div", "answers");
      this.answers.setAttribute("aria-live", "polite");
      this.caution = make("details", "caution");
      this.root.replaceChildren(
        this.bar, this.panes, this.legend, this.hint, this.actions, this.answers, this.thumbs, this.caution,
      );
      this.root.addEventListener("keydown", (event) => this.key(event));
      this.panes.addEventListener("pointerleave", () => this.hover(null));
    }

    relabel() {
      if (!this.record) return;
      this.fillBar();
      const { words } = this;
      this.legend.replaceChildren(...["to", "from", "never"].map((name) => {
        const item = make("span", `key ${name}`);
        item.append(make("span", "swatch"), words[name]);
        return item;
      }));
      this.hint.textContent = words.hint;
      this.caution.replaceChildren(make("summary", "", words.caution), make("p", "", words.why),
        make("p", "", words.sinkWhy));
      for (const pane of this.boards || []) this.label(pane);
      this.answers.hidden = this.view === "scheme";
      this.thumbnails();
      this.tools();
      this.draw();
    }

    fillBar() {
      const { words } = this;
      const focus = this.bar.contains(document.activeElement) ? document.activeElement.dataset.name : null;
      const views = make("div", "views");
      views.setAttribute("role", "group");
      views.setAttribute("aria-label", words.view);
      for (const [view, name] of Object.entries(words.views)) {
        const button = this.button(name, () => this.set({ view }), `view-${view}`);
        button.setAttribute("aria-pressed", String(this.view === view));
        views.append(button);
      }
      const items = [views];
      if (this.view === "scheme") items.push(this.range(words.blockLength, "block", 1, 16, 1, this));
      else {
        const units = this.select(words.unit, "unit", [["words", words.inWords], ["tokens", words.inTokens]]);
        const numbers = (count) => [...Array(count).keys()].map((n) => [n, String(n + 1)]);
        items.push(
          this.select(words.layer, "layer", [
            ["mean", words.mean], ["rollout", words.rollout], ...numbers(this.record.layers),
          ]),
          this.select(words.head, "head", [["mean", words.mean], ["max", words.max], ...numbers(this.record.heads)]),
          ...(this.ask ? [units] : []),
          this.check(words.sinks),
        );
      }
      if (this.view === "blanks") items.push(...this.keepControls());
      const present = this.button("", () => this.present(), "present");
      present.title = this.root.classList.contains("presenting") ? words.leave : words.present;
      present.setAttribute("aria-label", present.title);
      items.push(present);
      if (window.llada.save) items.push(...this.saveControls());
      this.bar.replaceChildren(...items);
      if (focus) this.bar.querySelector(`[data-name="${focus}"]`)?.focus();
    }

    button(text, act, name) {
      const button = make("button", "", text);
      button.type = "button";
      button.dataset.name = name;
      button.addEventListener("click", act);
      return button;
    }

    labelled(text, control) {
      const label = make("label", "control");
      label.append(make("span", "", text), control);
      return label;
    }

    select(text, name, choices, owner = this) {
      const select = make("select");
      select.dataset.name = name;
      for (const [value, shown] of choices) {
        const option = make("option", "", shown);
        option.value = value;
        select.append(option);
      }
      select.value = String(owner[name]);
      select.disabled = name === "head" && typeof this.layer !== "number";
      select.addEventListener("change", () => {
        const value = /^\d+$/.test(select.value) ? Number(select.value) : select.value;
        if (owner === this) this.set({ [name]: value });
        else {
          owner[name] = value;
          this.set({});
        }
      });
      return this.labelled(text, select);
    }

    range(text, name, min, max, step, owner) {
      const input = make("input");
      Object.assign(input, { type: "range", min, max, step, value: owner[name] });
      input.dataset.name = name;
      const shown = make("output", "", String(owner[name]));
      input.addEventListener("input", () => {
        owner[name] = Number(input.value);
        shown.textContent = input.value;
        this.draw();
      });
      const label = this.labelled(text, input);
      label.append(shown);
      return label;
    }

    check(text) {
      const box = make("input");
      box.type = "checkbox";
      box.checked = this.fade;
      box.dataset.name = "fade";
      box.addEventListener("change", () => this.set({ fade: box.checked }));
      return this.labelled(text, box);
    }

    keepControls() {
      const { words, keep } = this;
      return [
        this.select(words.keep, "by", [["mass", words.byMass], ["share", words.byShare]], keep),
        keep.by === "mass"
          ? this.range("p", "mass", 0, 1, 0.05, keep) : this.range("≥", "share", 0, 0.5, 0.01, keep),
        this.select(words.relation, "relation", [
          ["either", words.either], ["to", words.toOnly], ["from", words.fromOnly],
        ], keep),
      ];
    }

    /** The panes of this view, with the words of the text in each. */
    lay() {
      if (!this.record) return;
      const dense = this.size > CROWD;
      this.panes.classList.toggle("dense", dense);
      this.panes.classList.toggle("three", this.view === "scheme");
      this.boards = (PANES[this.view] || PANES.other).map((regime) => {
        const pane = { regime, root: make("section", "pane"), title: make("h3"), note: make("p", "note"),
          list: make("div", "words"), grid: make("div", "grid"), told: make("p", "told"), spans: [] };
        pane.list.setAttribute("role", "listbox");
        pane.list.setAttribute("aria-multiselectable", "true");
        pane.root.append(pane.title, pane.note, pane.list, pane.grid, pane.told);
        this.record.words.forEach((word, at) => {
          const span = make("span", `word ${this.record.kinds[at]}`, this.face(at));
          if (at && !/^\s/.test(word) && this.record.kinds[at] === "text") span.classList.add("joined");
          span.setAttribute("role", "option");
          span.tabIndex = at ? -1 : 0;
          span.addEventListener("pointerenter", () => this.hover(at));
          span.addEventListener("focus", () => this.hover(at));
          span.addEventListener("click", () => this.lock(at));
          pane.spans.push(span);
          pane.list.append(span);
          if (/\n/.test(word) && !dense) pane.list.append(make("br"));
        });
        pane.grid.addEventListener("pointermove", (event) => this.hover(this.rowAt(pane, event)));
        pane.grid.addEventListener("click", (event) => this.lock(this.rowAt(pane, event)));
        this.label(pane);
        return pane;
      });
      this.panes.replaceChildren(...this.boards.map((pane) => pane.root), this.canvas);
      this.measure();
    }

    label(pane) {
      const { words } = this;
      pane.title.textContent = words[pane.regime];
      const scheme = this.view === "scheme" && pane.regime === "causal";
      pane.note.textContent = words[scheme ? "causalScheme" : `${pane.regime}Note`];
      pane.list.setAttribute("aria-label", `${words.words}: ${words[pane.regime]}`);
    }

    rowAt(pane, event) {
      const box = pane.grid.getBoundingClientRect();
      return Math.max(0, Math.min(this.size - 1, Math.floor(((event.clientY - box.top) / box.height) * this.size)));
    }

    /** Where every word stands; asked once a layout, not once a hover. */
    measure() {
      if (!this.boards) return;
      const matrix = this.view === "matrix" || this.view === "scheme";
      for (const pane of this.boards) {
        const width = Math.min(pane.root.clientWidth - LABELS, this.view === "scheme" ? 180 : 420);
        pane.grid.style.height = pane.grid.style.width = matrix ? `${width}px` : "0";
      }
      const origin = this.panes.getBoundingClientRect();
      this.width = this.panes.clientWidth;
      this.height = this.panes.clientHeight;
      const box = (element) => {
        const found = element.getBoundingClientRect();
        return { x: found.left - origin.left, y: found.top - origin.top, w: found.width, h: found.height };
      };
      for (const pane of this.boards) {
        pane.boxes = pane.spans.map(box);
        pane.square = box(pane.grid);
      }
      const dense = window.devicePixelRatio || 1;
      this.canvas.width = Math.round(this.width * dense);
      this.canvas.height = Math.round(this.height * dense);
      this.context = this.canvas.getContext("2d");
      this.context.setTransform(dense, 0, 0, dense, 0, 0);
      this.draw();
    }

    // ---- drawing -------------------------------------------------------------------------------------------

    /** Draws what is chosen, and says it. */
    draw() {
      if (!this.context || !this.boards) return;
      this.context.clearRect(0, 0, this.width, this.height);
      const { look, around } = window.llada.attentionShapes;
      const colours = look(this);
      for (const pane of this.boards) {
        window.llada.ink.draw(this.context, around(this, pane, colours));
        this.say(pane);
      }
    }

    /** The sentence under a pane, and in the view with blanks its words. */
    say(pane) {
      const { words, active, record, numbers } = this;
      const kept = this.view === "blanks" && active.length ? this.kept(pane.regime) : null;
      pane.spans.forEach((span, at) => {
        const blank = Boolean(kept) && this.says(at) && !kept.has(at);
        span.classList.toggle("blank", blank); // as wide as its word, so that nothing moves
        if (blank) span.setAttribute("aria-label", BLANK);
        else span.removeAttribute("aria-label");
        span.setAttribute("aria-selected", String(this.locked.has(at)));
      });
      pane.list.classList.toggle("bare", Boolean(kept));
      if (this.view === "scheme" || !numbers.seen[pane.regime]) {
        pane.told.textContent = "";
        return;
      }
      const matrix = this.matrix(pane.regime);
      const facts = [words.ahead(percent(numbers.ahead(matrix)))];
      if (record.kinds.includes("mask")) facts.push(words.masks(percent(numbers.toMasks(matrix))));
      if (active.length) facts.push(this.sentence(pane.regime));
      pane.told.textContent = facts.join(" · ");
    }

    sentence(regime) {
      const { words, active } = this;
      const { to, from } = this.shares(regime);
      const sinks = this.sinks(regime);
      const list = (shares) => [...shares.keys()]
        .filter((j) => !sinks.has(j) && !active.includes(j) && shares[j] >= 0.001)
        .sort((a, b) => shares[b] - shares[a]).slice(0, NAMED)
        .map((j) => `${this.face(j)} ${percent(shares[j])}`).join(", ") || words.nobody;
      const chosen = active.map((i) => this.face(i)).join(", ");
      const held = [...sinks].filter((j) => !active.includes(j) && to[j] >= 0.001);
      return words.looks(chosen, list(to)) + words.seen(list(from))
        + (held.length ? words.held(held.map((j) => this.face(j)).join(", "),
          percent(held.reduce((sum, j) => sum + to[j], 0))) : "");
    }

    // ---- heads, ranks, guesses -----------------------------------------------------------------------------

    /** All layers, or all heads of the layer, as small matrices: hovering shows one, a click keeps it. */
    thumbnails() {
      const { record, words, layer } = this;
      if (!record || this.view === "scheme") {
        this.thumbs.replaceChildren();
        return;
      }
      const inLayer = typeof layer === "number" && this.numbers.has(layer);
      const kind = inLayer ? "head" : "layer";
      const { look, thumbnail } = window.llada.attentionShapes;
      const colours = look(this);
      const items = [...Array(inLayer ? record.heads : record.layers).keys()].map((n) => {
        const at = inLayer ? { layer, head: n } : { layer: n, head: "mean" };
        const button = this.button("", () => this.set(at), `thumb-${n}`);
        button.className = "thumb";
        button.setAttribute("aria-label", words.thumb(kind, n + 1));
        button.title = words.thumb(kind, n + 1);
        button.setAttribute("aria-pressed", String(inLayer ? this.head === n : layer === n));
        button.append(thumbnail(this, at, colours), make("span", "", String(n + 1)));
        button.addEventListener("pointerenter", () => this.peek(at));
        button.addEventListener("pointerleave", () => this.peek(null));
        return button;
      });
      const row = make("div", "row");
      row.append(...items);
      this.thumbs.replaceChildren(make("h3", "", inLayer ? words.heads(layer + 1) : words.layers), row);
    }

    peek(preview) {
      this.preview = preview;
      this.draw();
    }

    /** What can be asked about the locked words. */
    tools() {
      this.actions.replaceChildren();
      if (!this.ask || this.view === "scheme" || !this.record) return;
      const { words } = this;
      const locked = [...this.locked];
      const named = locked.map((at) => this.face(at));
      const asking = (text, want) => this.button(text, () => {
        this.answers.replaceChildren(make("p", "hint", words.waiting));
        this.ask(want);
      }, want.want);
      if (locked.length === 1) this.actions.append(asking(words.guess(named[0]), { want: "guess", word: locked[0] }));
      else this.actions.append(make("span", "hint", words.guessNeeds));
      if (locked.length === 2) {
        const [query, key] = locked;
        this.actions.append(asking(words.rank(...named), { want: "rank", query, key }));
      } else this.actions.append(make("span", "hint", words.rankNeeds));
    }

    // ---- files ---------------------------------------------------------------------------------------------

    saveControls() {
      const { words } = this;
      const kinds = ["PNG", "SVG", ...(this.ask ? ["HTML"] : []), "JSON"];
      const select = make("select");
      select.dataset.name = "save-as";
      select.setAttribute("aria-label", words.saveAs);
      for (const kind of kinds) select.append(make("option", "", kind));
      select.value = this.saveAs || "PNG";
      select.addEventListener("change", () => { this.saveAs = select.value; });
      return [select, this.button(words.save, () => this.save(select.value), "save")];
    }

    async save(kind) {
      const { ink, attentionShapes } = window.llada;
      const name = `llada-attention.${kind.toLowerCase()}`;
      if (kind === "SVG") {
        window.llada.save(ink.svg(attentionShapes.screen(this), this.width, this.height), name, "image/svg+xml");
      }
      if (kind === "HTML") {
        this.ask({ want: "page", layer: typeof this.layer === "number" ? this.layer : null, locked: [...this.locked] });
      }
      if (kind === "JSON") window.llada.save(JSON.stringify(this.data()), name, "application/json");
      if (kind === "PNG") {
        const canvas = make("canvas");
        [canvas.width, canvas.height] = [2 * this.width, 2 * this.height];
        const context = canvas.getContext("2d");
        context.scale(2, 2);
        ink.draw(context, attentionShapes.screen(this));
        const file = await new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
        window.llada.save(file, name, "image/png");
      }
    }

    /** What is on the screen as numbers: the chosen matrices of both regimes, the words, and what is locked. */
    data() {
      const { words, kinds, about } = this.record;
      const rows = (regime) => {
        const matrix = this.matrix(regime);
        const row = (i) => [...matrix.slice(i * this.size, (i + 1) * this.size)];
        return words.map((_, i) => row(i).map((share) => Number(share.toFixed(5))));
      };
      return { about, words, kinds, layer: this.layer, head: this.head, locked: [...this.locked],
        attention: Object.fromEntries(Object.keys(this.numbers.seen).map((regime) => [regime, rows(regime)])) };
    }

    // ---- keys and presentation -----------------------------------------------------------------------------

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.record) return;
      const typing = event.target.matches("input, select");
      const word = event.target.closest?.(".word");
      const spans = word && this.boards.find((pane) => pane.spans.includes(word)).spans;
      const go = (to) => {
        const at = Math.max(0, Math.min(this.size - 1, to));
        for (const span of spans) span.tabIndex = -1;
        spans[at].tabIndex = 0;
        spans[at].focus();
      };
      const here = spans?.indexOf(word);
      const onWord = {
        ArrowRight: () => go(here + 1), ArrowDown: () => go(here + 1),
        ArrowLeft: () => go(here - 1), ArrowUp: () => go(here - 1),
        Home: () => go(0), End: () => go(this.size - 1),
        Enter: () => this.lock(here), " ": () => this.lock(here),
      };
      const anywhere = {
        f: () => this.present(), F: () => this.present(),
        Escape: () => {
          if (this.root.classList.contains("presenting")) this.present();
          else {
            this.locked.clear();
            this.over = null;
            this.tools();
            this.draw();
          }
        },
      };
      const act = (spans && onWord[event.key]) || (!typing && anywhere[event.key]);
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    }

    present() {
      const on = this.root.classList.toggle("presenting");
      document.documentElement.classList.toggle("llada-presenting", on);
      this.relabel();
      this.measure();
      this.root.focus();
    }
  }

  window.llada = window.llada || {};
  window.llada.Attention = Attention;
})();
