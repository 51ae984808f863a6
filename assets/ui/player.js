// The player: draws how the model wrote an answer (a "film", see llada_demo/export/film.py), live or recorded.
// It depends on nothing, and text enters the page through textContent only.
(() => {
  const WORDS = {
    id: {
      play: "Putar", pause: "Jeda", restart: "Ulang dari awal", back: "Satu langkah mundur",
      forward: "Satu langkah maju", scrub: "Langkah", speed: "Kecepatan", ends: "Tampilkan token akhir",
      present: "Layar presentasi (F)", leave: "Tutup presentasi (Esc)", board: "Papan jawaban",
      mask: "topeng", fresh: "baru ditetapkan", old: "sudah ditetapkan", given: "diberikan",
      sure: "garis bawah tebal = yakin", recorded: "Rekaman", live: "Langsung",
      line: (s) => `Langkah ${s.at} dari ${s.all} · ${s.masks} topeng · keyakinan rata-rata ${s.sure} · `
        + `blok ${s.block} dari ${s.blocks} · ${s.forwards} perhitungan`,
      pick: "Sorot, ketuk, atau pilih sebuah kata (panah atas dan bawah) untuk melihat calon-calonnya.",
      position: (at) => `Posisi ${at}`, masked: "masih topeng", committed: (step) => `ditetapkan di langkah ${step}`,
      hand: "ditetapkan dengan tangan", fixed: "diberikan sejak awal", unasked: "tidak pernah ditanyakan",
      candidates: "Calon di langkah ini", none: "Langkah ini tidak menanyakan posisi ini.",
      without: "Rekaman ini tidak menyimpan calon.", overTime: "Keyakinan calon teratas dari langkah ke langkah",
      choose: (text) => `Tetapkan ${text}`, again: "Topengkan lagi", after: "Topengkan lagi ini dan yang sesudahnya",
      word: "Kata lain", set: "Tetapkan", tail: (n) => `+${n} token akhir`, space: "spasi", line_break: "baris baru",
      edits: (n) => `${n} perubahan di langkah ini; lanjutkan dengan tombol di bawah.`,
      base: "Dasar", same: "Sejauh ini sama dengan dasar",
      differs: (step, at) => `Berbeda dari dasar sejak langkah ${step}, posisi ${at}`,
      figures: (f) => `${f.tokens} token · keyakinan ${number(f.confidence, "id")} · `
        + `${number(f.nats_under_base, "id")} nat tiap token menurut dasar`,
    },
    en: {
      play: "Play", pause: "Pause", restart: "From the start", back: "One step back", forward: "One step on",
      scrub: "Step", speed: "Speed", ends: "Show end tokens", present: "Presentation (F)",
      leave: "Close the presentation (Esc)", board: "The answer's board", mask: "mask", fresh: "just committed",
      old: "committed", given: "given", sure: "thick underline = confident", recorded: "Recorded", live: "Live",
      line: (s) => `Step ${s.at} of ${s.all} · ${s.masks} masks · mean confidence ${s.sure} · `
        + `block ${s.block} of ${s.blocks} · ${s.forwards} forwards`,
      pick: "Hover, tap or choose a word (arrows up and down) to see what else could stand there.",
      position: (at) => `Position ${at}`, masked: "still masked", committed: (step) => `committed in step ${step}`,
      hand: "set by hand", fixed: "given from the start", unasked: "never asked for",
      candidates: "Candidates in this step", none: "This step did not ask for this position.",
      without: "This recording keeps no candidates.", overTime: "Confidence of the best candidate, step by step",
      choose: (text) => `Set ${text}`, again: "Mask again", after: "Mask this and all that came after it",
      word: "Another word", set: "Set", tail: (n) => `+${n} end tokens`, space: "space", line_break: "line break",
      edits: (n) => `${n} changes in this step; go on with the button below.`,
      base: "Base", same: "The same as the base so far",
      differs: (step, at) => `Differs from the base from step ${step}, position ${at}`,
      figures: (f) => `${f.tokens} tokens · confidence ${number(f.confidence, "en")} · `
        + `${number(f.nats_under_base, "en")} nats per token under the base`,
    },
  };
  const SPEEDS = [0.25, 0.5, 1, 2, 4];
  const STEP_MS = 110, FIRST_MS = 700, LAST_MS = 2000;
  const FADE = 10; // steps after which a committed word has the text's colour
  const SVG = "http://www.w3.org/2000/svg";

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function number(value, language) {
    const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
    return value === null ? "–" : value.toLocaleString(language, digits);
  }

  function visible(text) {
    if (/\n/.test(text)) return `${text.replace(/\s+/g, "")}↵`;
    return text.trim() || (text ? "␣" : "");
  }

  class Player {
    /** options.steer: words can be changed by hand, and `steering()` tells how; options.follows: the player whose
        clock this one has, which shows its own run at the same step; options.stage: the element around all players
        of a clock, which gets its controls at its end and is what a presentation shows. */
    constructor(root, options = {}) {
      this.root = root;
      this.steer = Boolean(options.steer);
      this.stage = options.stage || null;
      this.stage?.classList.add("llada-stage");
      this.followers = [];
      this.leader = options.follows || null;
      if (this.leader) {
        this.leader.followers = [...this.leader.followers.filter((one) => one.root.isConnected), this];
        root.classList.add("follower");
      }
      this.at = 0; // frames that are shown
      this.clock = 0; // the same, of the longest of the runs that share a clock
      this.speed = 1;
      this.playing = false;
      this.showEnds = false;
      this.chosen = null; // the position whose candidates are shown
      this.locked = false; // chosen by a click, so hovering elsewhere does not change it
      this.edits = new Map(); // position -> {id, text}, {word}, or null for a mask
      this.frames = [];
      this.cells = [];
      this.build();
      root.llada = this;
      new MutationObserver(() => this.relabel()).observe(document.documentElement, { attributeFilter: ["lang"] });
    }

    /** The players on this clock that show a run. */
    get beside() {
      return this.followers.filter((one) => one.head);
    }

    /** Frames of the longest of the runs that share a clock. */
    get count() {
      return Math.max(this.frames.length, ...this.beside.map((one) => one.frames.length));
    }

    /** Whether the runs on this clock are whole. */
    get whole() {
      return Boolean(this.end && this.beside.every((one) => one.end));
    }

    get words() {
      return document.documentElement.lang.startsWith("en") ? WORDS.en : WORDS.id;
    }

    // ---- what is shown -------------------------------------------------------------------------------------

    /** A whole film. Starts playing unless the visitor prefers less motion, or `step` says where to stand. */
    load(film, step) {
      this.begin(film.head);
      this.frames = film.frames;
      this.learn(film.frames);
      this.finish(film.end);
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (this.leader) return;
      if (step !== undefined) this.show(Math.max(0, Math.min(step, this.count)));
      else if (!still) this.play();
    }

    /** The start of a live run. */
    begin(head) {
      this.pause();
      this.head = head;
      this.frames = [];
      this.end = null;
      this.texts = new Map();
      this.edits.clear();
      this.chosen = null;
      this.locked = false;
      this.at = 0;
      this.clock = 0;
      this.lay();
      this.show(0);
    }

    /** More frames of a live run; they are shown one after another. */
    add(frames) {
      this.learn(frames);
      this.frames.push(...frames);
      const clock = this.leader || this;
      clock.scrub.max = clock.count;
      if (clock.head && !clock.playing && clock.following) clock.play();
    }

    /** The end of a run: the final texts give the cells their final widths. */
    finish(end) {
      this.end = end;
      this.finals = new Map(this.frames.flatMap((frame) => frame.p.map((at, k) => [at, frame.t[k]])));
      const clock = this.leader || this;
      clock.scrub.max = clock.count;
      this.lay();
      this.show(clock.clock);
    }

    /** Where a live run parts from the base, once it is known: {step, at}, both from 0. */
    diverge(diverges) {
      this.head.diverges = diverges;
      this.show(this.clock);
    }

    learn(frames) {
      for (const frame of frames) {
        for (const [id, text] of Object.entries(frame.n || {})) this.texts.set(Number(id), text);
      }
    }

    /** The answer after `count` frames: for every position null (a mask) or what stands there. */
    state(count) {
      const cells = new Array(this.head.length).fill(null);
      for (const [at, text] of Object.entries(this.head.fixed)) cells[at] = { text, kind: "given", step: 0 };
      for (let i = 0; i < count; i += 1) {
        const frame = this.frames[i];
        for (const at of frame.m || []) cells[at] = null;
        frame.p.forEach((at, k) => {
          cells[at] = frame.h
            ? { id: frame.t[k], kind: "given", step: i + 1, hand: true }
            : { id: frame.t[k], kind: "old", step: i + 1, sure: frame.c[k] / 1000 };
        });
        for (const at of frame.u || []) cells[at] = { text: "", kind: "unasked", step: i + 1 };
      }
      return cells;
    }

    /** Shows the answer after `count` frames. */
    show(count) {
      if (count !== this.clock) this.edits.clear();
      this.at = Math.min(count, this.frames.length);
      this.clock = count;
      this.following = count === this.count && !this.whole;
      const cells = this.state(this.at);
      this.now = cells;
      for (let at = 0; at < cells.length; at += 1) this.draw(at, cells[at]);
      this.tell();
      this.inspect();
      for (const one of this.beside) one.show(count);
      this.root.dispatchEvent(new CustomEvent("step", { detail: this.at }));
    }

    draw(at, cell) {
      const element = this.cells[at];
      const edit = this.edits.get(at);
      let kind = cell ? cell.kind : "mask";
      if (kind === "old" && cell.step === this.at) kind = "new";
      let text = cell ? this.textOf(at, cell) : "";
      if (edit !== undefined) {
        kind = edit === null ? "mask" : "given";
        text = edit === null ? "" : edit.word ?? edit.text;
      }
      const face = visible(text);
      const differs = this.differs && this.head.diverges.at === at;
      const style = `${kind}|${face}|${cell?.sure ?? ""}|${kind === "old" ? Math.min(FADE, this.at - cell.step) : ""}|`
        + `${edit !== undefined}|${at === this.chosen}|${differs}`;
      if (element.style_ === style) return;
      element.style_ = style;
      element.dataset.state = kind;
      element.toggleAttribute("data-differs", differs);
      element.classList.toggle("edited", edit !== undefined);
      element.classList.toggle("chosen", at === this.chosen);
      element.face.textContent = face;
      const sure = edit === undefined && cell?.sure;
      element.style.setProperty("--sure", sure ? sure.toFixed(2) : "0");
      element.style.setProperty("--age", kind === "old" ? Math.min(1, (this.at - cell.step) / FADE).toFixed(2) : "0");
    }

    /** Whether the step at which this run parts from the base is shown. */
    get differs() {
      return Boolean(this.head.diverges && this.at > this.head.diverges.step);
    }

    /** The text of a position: final where the token is the final one, for bytes that neighbours share. */
    textOf(at, cell) {
      if (cell.text !== undefined) return cell.text;
      const alone = this.texts.get(cell.id) ?? "";
      if (!this.end) return alone;
      return this.finals.get(at) === cell.id ? this.end.cells[at] : alone;
    }

    tell() {
      const words = this.words;
      const frame = this.frames[this.at - 1];
      const sure = frame && !frame.h && frame.c.length
        ? (frame.c.reduce((a, b) => a + b, 0) / frame.c.length / 1000).toFixed(2) : "–";
      this.line.textContent = words.line({
        at: this.at,
        all: this.end ? this.frames.length : this.head.steps,
        masks: this.now.filter((cell) => cell === null).length,
        sure,
        block: (frame ? frame.b : 0) + 1,
        blocks: Math.ceil(this.head.length / this.head.block),
        forwards: frame ? frame.f : 0,
      });
      this.parting.hidden = this.head.diverges === undefined;
      const { step, at } = this.head.diverges || {};
      this.parting.textContent = this.differs ? words.differs(step + 1, at) : words.same;
      this.parting.classList.toggle("differs", this.differs);
      this.scrub.value = this.clock;
      this.scrub.setAttribute("aria-valuetext", this.line.textContent);
    }

    // ---- time ----------------------------------------------------------------------------------------------

    play() {
      if (!this.head) return;
      if (this.whole && this.clock >= this.count) this.show(0);
      this.playing = true;
      this.following = !this.whole;
      this.label();
      this.schedule();
    }

    pause() {
      clearTimeout(this.timer);
      this.playing = false;
      if (this.playButton) this.label();
    }

    toggle() {
      if (this.playing) {
        this.pause();
        this.following = false;
      } else this.play();
    }

    schedule() {
      clearTimeout(this.timer);
      let wait = STEP_MS / this.speed;
      if (this.whole && this.clock === 0) wait = FIRST_MS;
      else if (this.whole && this.clock >= this.count) wait = LAST_MS;
      else if (!this.whole) wait = Math.min(wait, 600 / Math.max(1, this.count - this.clock)); // live: keep up
      this.timer = setTimeout(() => {
        if (this.clock < this.count) {
          this.show(this.clock + 1);
          this.schedule();
        } else if (this.whole) this.pause();
        else {
          this.playing = false; // nothing new yet: `add` goes on
          this.following = true;
          this.label();
        }
      }, wait);
    }

    go(step) {
      this.pause();
      this.show(Math.max(0, Math.min(step, this.count)));
    }

    setSpeed(speed) {
      this.speed = speed;
      this.speedSelect.value = String(speed);
      if (this.playing) this.schedule();
    }

    // ---- looking inside ------------------------------------------------------------------------------------

    choose(at, lock) {
      if (this.locked && !lock) return;
      this.locked = lock ? !(this.locked && this.chosen === at) : false;
      const before = this.chosen;
      this.chosen = at;
      for (const one of [before, at]) if (one !== null) this.draw(one, this.now[one]);
      this.inspect();
    }

    move(by) {
      const last = this.end && !this.showEnds ? Math.max(1, this.end.tail) : this.head.length;
      const at = this.chosen === null ? (by > 0 ? 0 : last - 1) : (this.chosen + by + last) % last;
      this.locked = false;
      this.choose(at, true);
    }

    inspect() {
      const words = this.words;
      const panel = this.panel;
      panel.replaceChildren();
      if (this.edits.size) panel.append(make("p", "edits", words.edits(this.edits.size)));
      if (this.chosen === null) {
        panel.append(make("p", "hint", words.pick));
        return;
      }
      const at = this.chosen;
      panel.append(make("p", "where", `${words.position(at)} · ${this.about(at)}`));
      const frame = this.frames[Math.max(0, this.at - 1)];
      const asked = (frame?.o || []).find((row) => row[0] === at);
      if (!this.frames.some((one) => one.o)) panel.append(make("p", "hint", words.without));
      else if (!asked) panel.append(make("p", "hint", words.none));
      else panel.append(this.candidates(at, asked));
      const history = this.history(at);
      if (history.length > 1) panel.append(this.chart(history));
      if (this.steer && this.end) panel.append(this.tools(at));
    }

    about(at) {
      const cell = this.now[at];
      if (!cell) return this.words.masked;
      if (cell.hand) return this.words.hand;
      if (cell.kind === "given") return this.words.fixed;
      if (cell.kind === "unasked") return this.words.unasked;
      return `${this.words.committed(cell.step)} (${cell.sure.toFixed(2)})`;
    }

    candidates(at, row) {
      const list = make("ol", "candidates");
      list.setAttribute("aria-label", this.words.candidates);
      for (let i = 1; i < row.length; i += 2) {
        const [id, probability] = [row[i], row[i + 1] / 1000];
        const text = visible(this.texts.get(id) ?? "");
        const item = make("li");
        item.style.setProperty("--probability", probability);
        const name = make(this.steer && this.end ? "button" : "span", "candidate", text);
        if (this.steer && this.end) {
          name.type = "button";
          name.setAttribute("aria-label", this.words.choose(text));
          name.addEventListener("click", () => this.edit(at, { id, text: this.texts.get(id) ?? "" }));
        }
        item.append(name, make("span", "probability", probability.toFixed(3)));
        list.append(item);
      }
      return list;
    }

    /** The best candidate's probability in every step that asked for a position. */
    history(at) {
      const found = [];
      this.frames.forEach((frame, i) => {
        const row = (frame.o || []).find((one) => one[0] === at);
        if (row) found.push([i + 1, row[2] / 1000]);
      });
      return found;
    }

    chart(history) {
      const [width, height] = [160, 40];
      const picture = document.createElementNS(SVG, "svg");
      picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
      picture.setAttribute("class", "history");
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", this.words.overTime);
      const x = (step) => 4 + ((width - 8) * (step - history[0][0])) / Math.max(1, history.at(-1)[0] - history[0][0]);
      const y = (probability) => height - 4 - (height - 8) * probability;
      const line = document.createElementNS(SVG, "polyline");
      line.setAttribute("points", history.map(([step, p]) => `${x(step).toFixed(1)},${y(p).toFixed(1)}`).join(" "));
      picture.append(line);
      const here = history.filter(([step]) => step <= Math.max(1, this.at)).at(-1);
      if (here) {
        const dot = document.createElementNS(SVG, "circle");
        dot.setAttribute("cx", x(here[0]));
        dot.setAttribute("cy", y(here[1]));
        dot.setAttribute("r", 3);
        picture.append(dot);
      }
      return picture;
    }

    // ---- steering ------------------------------------------------------------------------------------------

    tools(at) {
      const words = this.words;
      const row = make("div", "tools");
      const again = this.button("again", words.again, () => this.edit(at, null));
      const after = this.button("after", words.after, () => this.maskFrom(at));
      again.textContent = words.again;
      after.textContent = words.after;
      const given = String(at) in this.head.fixed;
      for (const button of [again, after]) button.disabled = given || this.now[at] === null;
      const word = make("input", "word");
      word.placeholder = words.word;
      word.setAttribute("aria-label", words.word);
      word.maxLength = 60;
      const put = () => word.value.trim() && this.edit(at, { word: word.value.trim() });
      const set = this.button("set", words.set, put);
      set.textContent = words.set;
      word.addEventListener("keydown", (event) => {
        event.stopPropagation();
        if (event.key === "Enter") put();
      });
      row.append(word, set, again, after);
      return row;
    }

    edit(at, what) {
      if (String(at) in this.head.fixed) return;
      this.pause();
      if (what === null && this.now[at] === null) this.edits.delete(at);
      else this.edits.set(at, what);
      this.draw(at, this.now[at]);
      this.inspect();
    }

    /** Masks a position and everything that was committed in its step or later. */
    maskFrom(at) {
      const step = this.now[at].step;
      this.pause();
      this.now.forEach((cell, i) => {
        if (cell && cell.step >= step && !(String(i) in this.head.fixed)) this.edits.set(i, null);
      });
      this.show(this.clock);
    }

    /** Where to go on and what was changed, for the server. */
    steering() {
      const edits = {};
      for (const [at, what] of this.edits) edits[at] = what === null ? null : what.word ?? what.id;
      return JSON.stringify({ step: this.at, edits });
    }

    // ---- the elements --------------------------------------------------------------------------------------

    button(name, label, act) {
      const button = make("button", `control ${name}`);
      button.type = "button";
      button.addEventListener("click", act);
      button.title = label;
      button.setAttribute("aria-label", label);
      return button;
    }

    build() {
      const root = this.root;
      root.classList.add("player");
      root.tabIndex = 0;
      root.setAttribute("role", "group");
      this.title = make("h2", "title");
      this.question = make("p", "question");
      this.board = make("div", "board");
      this.board.setAttribute("role", "group");
      this.line = make("p", "line");
      this.parting = make("p", "parting");
      this.parting.hidden = true;
      this.playButton = this.button("play", "", () => this.toggle());
      this.restartButton = this.button("restart", "", () => { this.go(0); this.play(); });
      this.backButton = this.button("back", "", () => this.go(this.clock - 1));
      this.forwardButton = this.button("forward", "", () => this.go(this.clock + 1));
      this.presentButton = this.button("present", "", () => this.present());
      this.scrub = make("input", "scrub");
      this.scrub.type = "range";
      this.scrub.min = 0;
      this.scrub.max = 0;
      this.scrub.addEventListener("input", () => this.go(Number(this.scrub.value)));
      this.marks = make("div", "marks");
      this.marks.setAttribute("aria-hidden", "true");
      const track = make("div", "track");
      track.append(this.scrub, this.marks);
      this.speedSelect = make("select", "speed");
      for (const speed of SPEEDS) {
        const option = make("option", "", `${speed}×`);
        option.value = String(speed);
        this.speedSelect.append(option);
      }
      this.speedSelect.value = "1";
      this.speedSelect.addEventListener("change", () => this.setSpeed(Number(this.speedSelect.value)));
      this.endsBox = make("input");
      this.endsBox.type = "checkbox";
      this.endsBox.addEventListener("change", () => {
        for (const one of [this, ...this.followers]) {
          one.showEnds = this.endsBox.checked;
          one.root.classList.toggle("all", one.showEnds);
        }
      });
      this.endsLabel = make("label", "ends");
      this.endsText = make("span");
      this.endsLabel.append(this.endsBox, this.endsText);
      const controls = make("div", "controls");
      controls.append(
        this.playButton, this.restartButton, this.backButton, this.forwardButton, track, this.speedSelect,
        this.presentButton,
      );
      this.legend = make("div", "legend");
      this.note = make("p", "note");
      this.panel = make("div", "panel");
      this.panel.setAttribute("aria-live", "polite");
      root.replaceChildren(
        this.title, this.question, this.board, this.line, this.parting, controls, this.legend, this.panel, this.note,
      );
      root.addEventListener("keydown", (event) => this.key(event));
      if (this.stage && !this.leader) {
        const bar = make("div", "player shared");
        bar.append(controls, this.legend);
        bar.addEventListener("keydown", (event) => this.key(event));
        this.stage.append(bar);
      }
      this.relabel();
    }

    relabel() {
      const words = this.words;
      const labels = {
        restartButton: "restart", backButton: "back", forwardButton: "forward", presentButton: "present",
        scrub: "scrub", speedSelect: "speed", board: "board",
      };
      for (const [name, key] of Object.entries(labels)) {
        this[name].setAttribute("aria-label", words[key]);
        this[name].title = this[name] === this.board ? "" : words[key];
      }
      this.root.setAttribute("aria-label", words.board);
      this.endsText.textContent = words.ends;
      this.legend.replaceChildren();
      for (const [state, key] of [["mask", "mask"], ["new", "fresh"], ["old", "old"], ["given", "given"]]) {
        const item = make("span", "key");
        const sample = make("span", "cell sample");
        sample.dataset.state = state;
        item.append(sample, make("span", "", words[key]));
        this.legend.append(item);
      }
      this.legend.append(make("span", "key", words.sure), this.endsLabel);
      this.label();
      if (this.head) {
        this.caption();
        this.tell();
        this.inspect();
        this.more.textContent = this.end ? words.tail(this.head.length - this.end.tail) : "";
      }
    }

    label() {
      const text = this.playing ? this.words.pause : this.words.play;
      this.playButton.classList.toggle("playing", this.playing);
      this.playButton.title = text;
      this.playButton.setAttribute("aria-label", text);
    }

    caption() {
      const { title, question, note, about, recorded, base, figures } = this.head;
      const origin = [recorded ? this.words.recorded : "", about.model, about.adapter, (about.date || "").slice(0, 10)];
      this.title.textContent = title || (base ? this.words.base : "");
      this.question.textContent = question || "";
      const told = figures ? this.words.figures(figures) : "";
      this.note.textContent = [note, told, origin.filter(Boolean).join(" · ")].filter(Boolean).join("\n");
    }

    /** The cells of the board: of one width while live, as wide as their final texts in a replay. */
    lay() {
      this.caption();
      this.root.classList.toggle("live", !this.end);
      this.board.replaceChildren();
      this.cells = [];
      for (let at = 0; at < this.head.length; at += 1) {
        const text = this.end ? this.end.cells[at] : "";
        const cell = make("span", "cell");
        const ghost = make("span", "ghost", visible(text));
        cell.face = make("span", "face");
        cell.append(ghost, cell.face);
        if (this.end && at && text && !/^\s/.test(text)) cell.classList.add("joined");
        if (this.end && at >= this.end.tail) cell.classList.add("tail");
        cell.addEventListener("mouseenter", () => this.choose(at, false));
        cell.addEventListener("click", () => this.choose(at, true));
        this.cells.push(cell);
        this.board.append(cell);
        if (this.end && at < this.end.tail && /\n/.test(text)) this.board.append(make("span", "break"));
      }
      this.more = make("span", "more", this.end ? this.words.tail(this.head.length - this.end.tail) : "");
      this.more.hidden = !this.end || this.end.tail >= this.head.length;
      this.board.append(this.more);
      this.marks.replaceChildren();
      if (!this.end) return;
      this.frames.forEach((frame, i) => {
        if (!i || frame.b === this.frames[i - 1].b) return;
        const mark = make("span", "mark");
        mark.style.left = `${(100 * i) / this.frames.length}%`;
        this.marks.append(mark);
      });
    }

    // ---- keys and presentation -----------------------------------------------------------------------------

    key(event) {
      if (this.leader?.head && !["ArrowUp", "ArrowDown"].includes(event.key)) {
        this.leader.key(event);
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || !this.head) return;
      const typing = event.target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
      if (typing) return;
      const onButton = event.target.matches("button, input[type=checkbox]");
      const act = {
        " ": onButton ? null : () => this.toggle(),
        ArrowLeft: () => this.go(this.clock - 1),
        ArrowRight: () => this.go(this.clock + 1),
        ArrowUp: () => this.move(-1),
        ArrowDown: () => this.move(1),
        Home: () => this.go(0),
        End: () => this.go(this.count),
        f: () => this.present(),
        F: () => this.present(),
        Escape: (this.stage || this.root).classList.contains("presenting") ? () => this.present() : null,
      }[event.key] ?? (SPEEDS[Number(event.key) - 1] && (() => this.setSpeed(SPEEDS[Number(event.key) - 1])));
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    }

    present() {
      const on = (this.stage || this.root).classList.toggle("presenting");
      const label = on ? this.words.leave : this.words.present;
      this.presentButton.title = label;
      this.presentButton.setAttribute("aria-label", label);
      document.documentElement.classList.toggle("llada-presenting", on);
      this.root.focus();
    }
  }

  window.llada = window.llada || {};
  window.llada.Player = Player;

  // Keys work for the player in sight also when nothing has the focus: a lecturer presses space.
  document.addEventListener("keydown", (event) => {
    if (event.target !== document.body) return;
    const seen = [...document.querySelectorAll(".player")].find((one) => one.llada?.head && one.checkVisibility());
    if (seen) seen.llada.key(event);
  });
})();
