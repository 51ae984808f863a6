// The attention explorer: two panes of one text, full and causal. It draws the fills, arcs and matrices on one canvas
// behind the words; hovering redraws the canvas and nothing else. It reads the JSON of AttentionRecord.to_dict
// (llada_demo/attention/record.py). It depends on ink.js only, and text enters the page through textContent only.
(() => {
  const WORDS = {
    id: {
      views: { arcs: "Busur", matrix: "Matriks", blanks: "Rumpang", scheme: "Skema" },
      full: "Penuh: LLaDA", causal: "Kausal: seperti GPT", blocks: "Per blok: difusi blok",
      fullNote: "Setiap kata melihat semua kata, ke kiri dan ke kanan.",
      causalNote: "Bobot yang sama, tetapi hanya melihat ke belakang. Model ini tidak dilatih begitu.",
      causalScheme: "Setiap kata hanya melihat dirinya dan kata-kata sebelumnya.",
      blocksNote: "Melihat bloknya sendiri dan blok-blok sebelumnya. LLaDA tidak memakainya: ia tetap melihat semua.",
      layer: "Lapisan", mean: "rata-rata", rollout: "rollout semua lapisan", head: "Kepala", max: "maksimum",
      unit: "Satuan", inWords: "kata", inTokens: "token",
      sinks: "Pudarkan penampung", save: "Simpan", saveAs: "Simpan sebagai", present: "Layar presentasi (F)",
      leave: "Tutup (Esc)", words: "Kata-kata", view: "Tampilan",
      to: "dilihat oleh kata terpilih", from: "melihat kata terpilih", never: "tidak boleh dilihat",
      ahead: (p) => `Ke depan: ${p}`, masks: (p) => `Ke topeng: ${p}`,
      hint: "Sorot, ketuk, atau pilih kata dengan panah. Enter mengunci; beberapa kata boleh dikunci.",
      looks: (word, list) => `${word} melihat ${list}`, seen: (list) => ` · dilihat oleh ${list}`, nobody: "–",
      held: (list, p) => ` · ${list} menampung ${p} (dipudarkan)`,
      keep: "Sisakan", byMass: "massa", byShare: "ambang", relation: "Hubungan",
      either: "salah satu arah", toOnly: "yang dilihatnya", fromOnly: "yang melihatnya", blockLength: "Panjang blok",
      heads: (layer) => `Semua kepala di lapisan ${layer}`, layers: "Semua lapisan",
      thumb: (kind, n) => (kind === "layer" ? `Lapisan ${n}` : `Kepala ${n}`),
      rank: (a, b) => `Peringkat kepala: ${a} → ${b}`, rankNeeds: "Kunci dua kata untuk memeringkat semua kepala.",
      ranked: (all, median) => `${all} kepala; median ${median}. Yang teratas bukan bukti: selalu ada yang teratas.`,
      control: (word) => `kontrol: ${word}`, guess: (word) => `Topengkan ${word}: apa yang ditulis model?`,
      guessNeeds: "Kunci satu kata untuk melihat apa yang ditulis model di tempatnya.",
      watched: "kata yang diamati",
      caution: "Perhatian bukan penjelasan",
      why: "Peta ini menunjukkan ke mana sebuah kata melihat, bukan mengapa model menjawab begitu: apa yang dibawa "
        + "setiap kata, lapisan lain, dan aliran sisanya tidak tampak. Ujilah dengan mengubah teksnya.",
      sinkWhy: "Mengapa semuanya melihat ke token yang sama? Perhatian harus berjumlah satu; bila tidak ada yang "
        + "dicari, sisanya dibuang ke satu tempat: penampung. Ia dipudarkan, dan bagiannya ditulis.",
      waiting: "Membaca …",
    },
    en: {
      views: { arcs: "Arcs", matrix: "Matrix", blanks: "Blanks", scheme: "Scheme" },
      full: "Full: LLaDA", causal: "Causal: like a GPT", blocks: "Block-wise: block diffusion",
      fullNote: "Every word sees all words, to the left and to the right.",
      causalNote: "The same weights, looking back only. The model was not trained so.",
      causalScheme: "Every word sees itself and the words before it only.",
      blocksNote: "Sees its own block and those before. LLaDA does not use it: it always sees everything.",
      layer: "Layer", mean: "mean", rollout: "rollout of all layers", head: "Head", max: "maximum",
      unit: "Unit", inWords: "words", inTokens: "tokens",
      sinks: "Fade the sinks", save: "Save", saveAs: "Save as", present: "Presentation (F)", leave: "Close (Esc)",
      words: "Words", view: "View",
      to: "the chosen word looks at", from: "looks at the chosen word", never: "must not be seen",
      ahead: (p) => `Forward: ${p}`, masks: (p) => `To masks: ${p}`,
      hint: "Hover, tap, or choose a word with the arrows. Enter locks it; several may be locked.",
      looks: (word, list) => `${word} looks at ${list}`, seen: (list) => ` · looked at by ${list}`, nobody: "–",
      held: (list, p) => ` · ${list} holds ${p} (faded)`,
      keep: "Keep", byMass: "mass", byShare: "threshold", relation: "Relation",
      either: "either direction", toOnly: "what it looks at", fromOnly: "what looks at it", blockLength: "Block length",
      heads: (layer) => `All heads of layer ${layer}`, layers: "All layers",
      thumb: (kind, n) => (kind === "layer" ? `Layer ${n}` : `Head ${n}`),
      rank: (a, b) => `Rank the heads: ${a} → ${b}`, rankNeeds: "Lock two words to rank all heads.",
      ranked: (all, median) => `${all} heads; median ${median}. The first is no proof: there is always a first.`,
      control: (word) => `control: ${word}`, guess: (word) => `Mask ${word}: what would the model write?`,
      guessNeeds: "Lock one word to see what the model would write in its place.",
      watched: "watched words",
      caution: "Attention is not an explanation",
      why: "The map shows where a word looks, not why the model answers so: what every word carries, the other "
        + "layers and the residual stream are not in it. Test it by changing the text.",
      sinkWhy: "Why does everything look at the same token? Attention must sum to one; where nothing is looked for, "
        + "the rest is put in one place: a sink. It is faded, and its share is written.",
      waiting: "Reading …",
    },
  };
  const PANES = { scheme: ["full", "causal", "blocks"], other: ["full", "causal"] };
  const LABELS = 92; // pixels for the words beside a matrix
  const SMALLEST = 9; // pixels of a row that still has its word beside it
  const CROWD = 48; // words from which on they are set smaller
  const VIVID = 6;
  const BLANK = "__";
  const ARCS = 12; // of each colour at most
  const NAMED = 3; // words in a sentence about a row

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function face(word, kind) {
    if (kind === "mask") return "░░";
    return word.trim().replace(/^<\|(.*)\|>$/, "$1") || (/\n/.test(word) ? "↵" : "␣");
  }

  function percent(share) {
    return `${(100 * share).toFixed(share && share < 0.1 ? 1 : 0)} %`;
  }

  function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Uint16Array(bytes.buffer);
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
      this.cache = new Map();
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
      this.size = record.words.length;
      this.over = null;
      this.cache.clear();
      this.boards = null; // the panes still show the text before
      this.answers.replaceChildren();
      for (const seen of Object.values(record.seen)) {
        seen.layers = unpack(seen.means);
        seen.all = unpack(seen.rollout);
        seen.of = new Map();
        if (seen.heads) seen.of.set(record.layer, unpack(seen.heads));
      }
      if (typeof this.layer === "number" && this.layer >= record.layers) this.layer = "mean";
      if (typeof this.head === "number" && this.head >= record.heads) this.head = "mean";
      this.want();
      this.relabel();
      this.lay();
    }

    /** What the server answered: the heads of a layer, a ranking, or guesses. */
    answer(data) {
      if (data.heads) {
        for (const [regime, packed] of Object.entries(data.heads)) {
          this.record.seen[regime].of.set(data.layer, unpack(packed));
        }
        this.cache.clear();
        this.thumbnails();
        this.draw();
      }
      if (data.ranks) this.showRanks(data);
      if (data.guesses) this.showGuesses(data);
    }

    /** Asks for the heads of the layer, if they are needed and not here. */
    want() {
      const { layer } = this;
      if (typeof layer !== "number" || this.record.seen.full.of.has(layer)) return;
      if (this.ask) this.ask({ want: "layer", layer });
    }

    /** Shares of a regime, row by row, for the layer and head that are chosen. */
    matrix(regime, at = this.preview || this) {
      const { layer, head } = at;
      const key = `${regime} ${layer} ${head}`;
      if (!this.cache.has(key)) this.cache.set(key, this.compute(this.record.seen[regime], layer, head));
      return this.cache.get(key);
    }

    compute(seen, layer, head) {
      const cells = this.size * this.size;
      const found = new Float32Array(cells);
      const { scale, layers, heads } = this.record;
      const add = (from, start, by) => {
        for (let i = 0; i < cells; i += 1) found[i] += from[start + i] * by;
      };
      const of = seen.of.get(layer);
      if (layer === "rollout") add(seen.all, 0, 1 / scale);
      else if (layer === "mean") for (let n = 0; n < layers; n += 1) add(seen.layers, n * cells, 1 / scale / layers);
      else if (head === "mean" || !of) add(seen.layers, layer * cells, 1 / scale);
      else if (head === "max") {
        for (let h = 0; h < heads; h += 1) {
          for (let i = 0; i < cells; i += 1) found[i] = Math.max(found[i], of[h * cells + i] / scale);
        }
      } else add(of, head * cells, 1 / scale);
      return found;
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

    /** What the active words look at (the mean over them) and what looks at them (the sum), word by word. */
    shares(regime) {
      const { active, size } = this;
      const to = new Float32Array(size);
      const from = new Float32Array(size);
      if (this.view === "scheme") {
        for (let j = 0; j < size; j += 1) {
          to[j] = active.some((i) => this.allowed(regime, i, j)) ? 1 : 0;
          from[j] = active.some((i) => this.allowed(regime, j, i)) ? 1 : 0;
        }
        return { to, from };
      }
      const matrix = this.matrix(regime);
      for (const i of active) {
        for (let j = 0; j < size; j += 1) {
          to[j] += matrix[i * size + j] / active.length;
          from[j] += matrix[j * size + i];
        }
      }
      return { to, from };
    }

    sinks(regime) {
      return this.fade && this.view !== "scheme" ? new Set(this.record.seen[regime]?.sinks) : new Set();
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
        const numbers = (count) => [...Array(count).keys()].map((n) => [n, String(n + 1)]);
        items.push(
          this.select(words.layer, "layer", [
            ["mean", words.mean], ["rollout", words.rollout], ...numbers(this.record.layers),
          ]),
          this.select(words.head, "head", [["mean", words.mean], ["max", words.max], ...numbers(this.record.heads)]),
          ...(this.ask ? [this.select(words.unit, "unit", [["words", words.inWords], ["tokens", words.inTokens]])] : []),
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
      const look = this.look();
      for (const pane of this.boards) {
        window.llada.ink.draw(this.context, this.shapes(pane, look));
        this.say(pane);
      }
    }

    /** The colours of the theme. */
    look() {
      const style = getComputedStyle(this.root);
      const read = (name) => style.getPropertyValue(name).trim();
      return { to: read("--to"), from: read("--from"), ink: read("--ink"), quiet: read("--quiet"),
        hatch: read("--hatch"), line: read("--line"), paper: read("--paper"), font: style.fontFamily };
    }

    shapes(pane, look) {
      const shapes = [];
      const { active } = this;
      const shares = this.shares(pane.regime);
      const sinks = this.sinks(pane.regime);
      if (active.length) this.fills(pane, look, shares, sinks, shapes);
      if (active.length && this.view === "arcs") this.arcs(pane, look, shares, sinks, shapes);
      if (this.view === "matrix" || this.view === "scheme") this.grid(pane, look, shapes);
      for (const at of active) {
        const { x, y, w, h } = pane.boxes[at];
        shapes.push({ kind: "frame", x: x + 1, y: y + 1, w: w - 2, h: h - 2, stroke: look.ink, width: 2 });
      }
      return shapes;
    }

    /** Behind every word: above, what the active words give it; below, what it gives them; a hatch where nothing may. */
    fills(pane, look, { to, from }, sinks, shapes) {
      const { active } = this;
      const most = (of) => {
        let best = 1e-9;
        for (let j = 0; j < of.length; j += 1) if (!sinks.has(j) && !active.includes(j)) best = Math.max(best, of[j]);
        return best;
      };
      const [mostTo, mostFrom] = [most(to), most(from)];
      const strong = (share, best, sink) => Math.min(1, share / best) ** 0.7 * (sink ? 0.15 : 0.75);
      for (let j = 0; j < this.size; j += 1) {
        const { x, y, w, h } = pane.boxes[j];
        const half = h / 2;
        const parts = [
          [y, to[j], mostTo, look.to, active.some((i) => this.allowed(pane.regime, i, j))],
          [y + half, from[j], mostFrom, look.from, active.some((i) => this.allowed(pane.regime, j, i))],
        ];
        for (const [top, share, best, colour, may] of parts) {
          if (!may) shapes.push({ kind: "hatch", x, y: top, w, h: half, stroke: look.hatch });
          else if (share > 0) {
            shapes.push({ kind: "rect", x, y: top, w, h: half,
              fill: tint(colour, strong(share, best, sinks.has(j))) });
          }
        }
      }
    }

    /** Arcs above the words to what is looked at, and below them from what looks. */
    arcs(pane, look, { to, from }, sinks, shapes) {
      const { active } = this;
      const arc = (a, b, share, best, above, colour) => {
        const [one, other] = [pane.boxes[a], pane.boxes[b]];
        const [x1, x2] = [one.x + one.w / 2, other.x + other.w / 2];
        const [y1, y2] = above ? [one.y, other.y] : [one.y + one.h, other.y + other.h];
        const lift = Math.min(22, 6 + Math.abs(x2 - x1) / 14) * (above ? -1 : 1);
        shapes.push({ kind: "curve", points: [x1, y1, x1, y1 + lift, x2, y2 + lift, x2, y2],
          width: 1 + 3 * Math.min(1, share / best),
          stroke: tint(colour, 0.3 + 0.65 * Math.min(1, share / best)) });
      };
      for (const [shares, above, colour] of [[to, true, look.to], [from, false, look.from]]) {
        const strongest = [...shares.keys()].filter((j) => !sinks.has(j) && !active.includes(j) && shares[j] > 0)
          .sort((a, b) => shares[b] - shares[a]).slice(0, ARCS);
        for (const j of strongest) {
          for (const i of active) arc(i, j, shares[j], shares[strongest[0]], above, colour);
        }
      }
    }

    /** The whole matrix: who looks from top to bottom, what is looked at from left to right. */
    grid(pane, look, shapes) {
      const { size, active } = this;
      const { x, y, w } = pane.square;
      const cell = w / size;
      const scheme = this.view === "scheme";
      const key = `${pane.regime} grid ${scheme ? this.block : `${this.layer} ${this.head} ${this.fade}`} ${look.to}`;
      if (this.preview || !this.cache.has(key)) {
        const shape = { kind: "grid", size, values: this.gridValues(pane.regime), colour: rgba(look.to) };
        if (!this.preview) this.cache.set(key, shape);
        shapes.push(Object.assign(shape, { x, y, w }));
      } else shapes.push(Object.assign(this.cache.get(key), { x, y, w }));
      for (let i = 0; i < size; i += 1) {
        let first = 0;
        while (first < size && this.allowed(pane.regime, i, first)) first += 1;
        if (first < size) {
          shapes.push({ kind: "hatch", x: x + first * cell, y: y + i * cell, w: (size - first) * cell, h: cell,
            stroke: look.hatch });
        }
      }
      shapes.push({ kind: "frame", x, y, w, h: w, stroke: look.line, width: 1 });
      const height = Math.min(13, Math.max(9, cell * 0.8));
      for (let i = 0; i < size; i += 1) {
        if (cell < SMALLEST && !active.includes(i)) continue;
        const word = this.face(i);
        shapes.push({ kind: "text", text: word.length > 12 ? `${word.slice(0, 11)}…` : word, align: "right", x: x - 6,
          y: y + (i + 0.5) * cell + height * 0.35, fill: active.includes(i) ? look.ink : look.quiet,
          font: `${active.includes(i) ? 650 : 400} ${height}px ${look.font}` });
      }
      for (const i of active) {
        shapes.push({ kind: "frame", x, y: y + i * cell, w, h: cell, stroke: look.to, width: 1.5 },
          { kind: "frame", x: x + i * cell, y, w: cell, h: w, stroke: look.from, width: 1.5 });
      }
    }

    gridValues(regime) {
      if (this.view === "scheme") {
        return Float32Array.from({ length: this.size * this.size },
          (_, k) => (this.allowed(regime, Math.floor(k / this.size), k % this.size) ? 0.35 : 0));
      }
      const sinks = this.sinks(regime);
      const gain = this.size / VIVID; // full colour is so many times an even spread
      return this.matrix(regime).map((share, k) => share * gain * (sinks.has(k % this.size) ? 0.1 : 1));
    }

    /** The sentence under a pane, and in the view with blanks its words. */
    say(pane) {
      const { words, active, record } = this;
      const kept = this.view === "blanks" && active.length ? this.kept(pane.regime) : null;
      pane.spans.forEach((span, at) => {
        const blank = Boolean(kept) && this.says(at) && !kept.has(at);
        span.classList.toggle("blank", blank); // as wide as its word, so that nothing moves
        if (blank) span.setAttribute("aria-label", BLANK);
        else span.removeAttribute("aria-label");
        span.setAttribute("aria-selected", String(this.locked.has(at)));
      });
      pane.list.classList.toggle("bare", Boolean(kept));
      const seen = record.seen[pane.regime];
      if (this.view === "scheme" || !seen) {
        pane.told.textContent = "";
        return;
      }
      const facts = [words.ahead(percent(this.ahead(pane.regime)))];
      if (record.kinds.includes("mask")) facts.push(words.masks(percent(this.toMasks(pane.regime))));
      if (active.length) facts.push(this.sentence(pane.regime));
      pane.told.textContent = facts.join(" · ");
    }

    /** The share of attention that goes forward: the mean over all rows but the last. */
    ahead(regime) {
      const matrix = this.matrix(regime);
      let sum = 0;
      for (let i = 0; i < this.size - 1; i += 1) {
        for (let j = i + 1; j < this.size; j += 1) sum += matrix[i * this.size + j];
      }
      return this.size > 1 ? sum / (this.size - 1) : 0;
    }

    toMasks(regime) {
      const matrix = this.matrix(regime);
      let sum = 0;
      for (let k = 0; k < matrix.length; k += 1) if (this.record.kinds[k % this.size] === "mask") sum += matrix[k];
      return sum / this.size;
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
      const inLayer = typeof layer === "number" && record.seen.full.of.has(layer);
      const kind = inLayer ? "head" : "layer";
      const colour = rgba(this.look().to);
      const items = [...Array(inLayer ? record.heads : record.layers).keys()].map((n) => {
        const at = inLayer ? { layer, head: n } : { layer: n, head: "mean" };
        const button = this.button("", () => this.set(at), `thumb-${n}`);
        button.className = "thumb";
        button.setAttribute("aria-label", words.thumb(kind, n + 1));
        button.title = words.thumb(kind, n + 1);
        button.setAttribute("aria-pressed", String(inLayer ? this.head === n : layer === n));
        const canvas = make("canvas");
        canvas.width = canvas.height = 56;
        const values = this.matrix("full", at).map((share) => (share * this.size) / VIVID);
        const shape = { kind: "grid", x: 0, y: 0, w: 56, size: this.size, values, colour };
        window.llada.ink.draw(canvas.getContext("2d"), [shape]);
        button.append(canvas, make("span", "", String(n + 1)));
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

    showRanks({ ranks, control, causal }) {
      const { words, record } = this;
      const sorted = ranks.map((rank) => rank.share).sort((a, b) => a - b);
      const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
      const table = make("table", "ranks");
      const head = make("tr");
      for (const text of [words.layer, words.head, words.full, words.control(this.face(control)), words.causal]) {
        head.append(make("th", "", text));
      }
      table.append(head);
      for (const rank of ranks.slice(0, 8)) {
        const row = make("tr");
        const other = causal.find((one) => one.layer === rank.layer && one.head === rank.head);
        const open = this.button(String(rank.head + 1), () => this.set({ layer: rank.layer, head: rank.head }), "rank");
        open.setAttribute("aria-label", `${words.layer} ${rank.layer + 1}, ${words.head} ${rank.head + 1}`);
        const cell = make("td");
        cell.append(open);
        row.append(make("td", "", String(rank.layer + 1)), cell, make("td", "", percent(rank.share)),
          make("td", "", percent(rank.control)), make("td", "", percent(other.share)));
        table.append(row);
      }
      this.answers.replaceChildren(table, make("p", "hint", words.ranked(ranks.length, percent(median))));
    }

    showGuesses({ guesses }) {
      const { words } = this;
      const columns = make("div", "guesses");
      for (const { text, regime, best, watched } of guesses) {
        const column = make("section", "guess");
        column.append(make("h4", "", words[regime]), make("p", "sentence", text));
        const bars = (rows, name) => {
          const list = make("ul", name);
          for (const [word, share] of rows) {
            const item = make("li");
            item.style.setProperty("--share", share);
            item.append(make("span", "", face(word)), make("span", "number", percent(share)));
            list.append(item);
          }
          return list;
        };
        column.append(bars(best, "best"));
        if (watched.length) column.append(make("p", "hint", words.watched), bars(watched, "watched"));
        columns.append(column);
      }
      this.answers.replaceChildren(columns);
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

    /** Everything on the screen as shapes, words and captions too. */
    picture() {
      const look = this.look();
      const shapes = [{ kind: "rect", x: 0, y: 0, w: this.width, h: this.height, fill: look.paper }];
      const origin = this.panes.getBoundingClientRect();
      const written = (element, weight = "400") => {
        const range = document.createRange();
        const node = element.firstChild;
        if (!node) return;
        const { fontSize, color: fill } = getComputedStyle(element);
        const size = parseFloat(fontSize);
        let [start, line] = [0, null];
        const blank = element.classList.contains("blank");
        const put = (end) => shapes.push({ kind: "text", text: blank ? BLANK : node.data.slice(start, end).trim(),
          fill: blank ? look.ink : fill, font: `${weight} ${size}px ${look.font}`,
          x: line.left - origin.left, y: line.bottom - origin.top - size * 0.3 });
        for (let at = 0; at < node.data.length; at += 1) { // a wrapped text is written line by line
          range.setStart(node, at);
          range.setEnd(node, at + 1);
          const box = range.getClientRects()[0];
          if (!box) continue;
          if (line && box.top > line.top + 2) {
            put(at);
            [start, line] = [at, box];
          }
          line ||= box;
        }
        if (line) put(node.data.length);
      };
      for (const pane of this.boards) {
        shapes.push(...this.shapes(pane, look));
        written(pane.title, "650");
        for (const element of [pane.note, ...pane.spans, pane.told]) written(element);
      }
      return shapes;
    }

    async save(kind) {
      const name = `llada-attention.${kind.toLowerCase()}`;
      if (kind === "SVG") window.llada.save(window.llada.ink.svg(this.picture(), this.width, this.height), name, "image/svg+xml");
      if (kind === "HTML") {
        this.ask({ want: "page", layer: typeof this.layer === "number" ? this.layer : null, locked: [...this.locked] });
      }
      if (kind === "JSON") window.llada.save(JSON.stringify(this.data()), name, "application/json");
      if (kind === "PNG") {
        const canvas = make("canvas");
        [canvas.width, canvas.height] = [2 * this.width, 2 * this.height];
        const context = canvas.getContext("2d");
        context.scale(2, 2);
        window.llada.ink.draw(context, this.picture());
        const file = await new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
        window.llada.save(file, name, "image/png");
      }
    }

    /** What is on the screen as numbers: the chosen matrices of both regimes, the words, and what is locked. */
    data() {
      const { words, kinds, about } = this.record;
      const rows = (regime) => {
        const matrix = this.matrix(regime);
        return words.map((_, i) => [...matrix.slice(i * this.size, (i + 1) * this.size)].map((v) => Number(v.toFixed(5))));
      };
      return { about, words, kinds, layer: this.layer, head: this.head, locked: [...this.locked],
        attention: Object.fromEntries(Object.keys(this.record.seen).map((regime) => [regime, rows(regime)])) };
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

  /** [r, g, b, 255] of a colour that CSS gives as #rrggbb. */
  function rgba(colour) {
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).concat(255);
  }

  function tint(colour, alpha) {
    return `rgba(${rgba(colour).slice(0, 3).join(", ")}, ${alpha.toFixed(2)})`;
  }

  window.llada = window.llada || {};
  window.llada.Attention = Attention;
})();
