// The picture of a rank-1 adapter: a column times a row is a matrix, which is added to weights that stand still.
// Eight numbers move, sixteen change. It depends on nothing, and text enters the page through textContent only.
(() => {
  const WORDS = {
    id: {
      start: "Mulai dari", lora: "LoRA: B = 0", pissa: "PiSSA: arah utama W", again: "Kembali ke awal",
      product: "B × A", productNote: "kolom kali baris: geser delapan angkanya",
      w: "W", wNote: "bobot model dasar, diam",
      rest: "W − B₀A₀", restNote: "sisa W tanpa arah utamanya, diam",
      sum: "Jumlah", sumNote: "yang dipakai model; berbingkai: berbeda dari W",
      scale: "Skala s = α / r",
      column: (i) => `B, baris ${i}`, row: (j) => `A, kolom ${j}`,
      count: "Dilatih: 8 angka, bukan 16.",
      began: {
        lora: "B nol, jadi B × A nol: model mulai persis sebagai W. A acak; pada langkah pertama hanya B yang bergerak.",
        pissa: (share) => `B × A mulai sebagai potongan peringkat 1 terbesar dari W (${share} dari jumlah kuadratnya). `
          + "Sisanya diam, jadi jumlahnya tetap W.",
      },
      column_moved: (i, value) => `B${sub(i)} = ${value}: seluruh baris ${i} berubah.`,
      row_moved: (j, value) => `A${sub(j)} = ${value}: seluruh kolom ${j} berubah.`,
      nothing: (other) => ` Namun ${other} nol, jadi hasilnya tetap nol.`,
      scale_moved: (s) => `s = ${s}: seluruh B × A dikalikan ${s}.`,
      off: {
        lora: "s = 0: adapter dimatikan. Dengan LoRA yang tersisa adalah W.",
        pissa: "s = 0: adapter dimatikan. Dengan PiSSA yang tersisa bukan W: arah utamanya ikut hilang.",
      },
    },
    en: {
      start: "Start from", lora: "LoRA: B = 0", pissa: "PiSSA: principal direction of W", again: "Back to the start",
      product: "B × A", productNote: "a column times a row: move its eight numbers",
      w: "W", wNote: "weights of the base, still",
      rest: "W − B₀A₀", restNote: "the rest of W without its principal direction, still",
      sum: "Sum", sumNote: "what the model uses; framed: differs from W",
      scale: "Scale s = α / r",
      column: (i) => `B, row ${i}`, row: (j) => `A, column ${j}`,
      count: "Trained: 8 numbers instead of 16.",
      began: {
        lora: "B is zero, so B × A is zero: the model starts as W exactly. A is random; in the first step only B moves.",
        pissa: (share) => `B × A starts as the largest rank-1 piece of W (${share} of its sum of squares). `
          + "The rest stands still, so the sum is still W.",
      },
      column_moved: (i, value) => `B${sub(i)} = ${value}: the whole row ${i} changes.`,
      row_moved: (j, value) => `A${sub(j)} = ${value}: the whole column ${j} changes.`,
      nothing: (other) => ` But ${other} is zero, so the result stays zero.`,
      scale_moved: (s) => `s = ${s}: all of B × A is multiplied by ${s}.`,
      off: {
        lora: "s = 0: the adapter is off. With LoRA what is left is W.",
        pissa: "s = 0: the adapter is off. With PiSSA what is left is not W: its principal direction is gone too.",
      },
    },
  };

  const N = 4;
  const LIMIT = 2; // the sliders go from -LIMIT to LIMIT
  const STEP = 0.1; // an arrow key
  const SAME = 0.005; // below the last printed digit
  const W = [
    [1.2, -0.5, 0.8, 0.3],
    [-0.9, 0.6, -0.4, 0.2],
    [0.5, -0.7, 0.6, -0.3],
    [1.0, -0.2, 0.7, 0.6],
  ];
  const A_AT_RANDOM = [0.7, -0.4, 0.2, -0.9];

  const range = [...Array(N).keys()];
  const grid = (at) => range.map((i) => range.map((j) => at(i, j)));
  const norm = (v) => Math.hypot(...v);
  const sub = (n) => "₀₁₂₃₄"[n];

  /** The largest rank-1 piece of a matrix as column and row, each with half of its size; power iteration. */
  function principal(matrix) {
    let row = range.map(() => 1);
    let column;
    for (let turn = 0; turn < 100; turn += 1) {
      column = matrix.map((line) => line.reduce((sum, value, j) => sum + value * row[j], 0));
      column = column.map((value, _, all) => value / norm(all));
      row = range.map((j) => column.reduce((sum, value, i) => sum + value * matrix[i][j], 0));
    }
    const size = norm(row); // the largest singular value
    return {
      column: column.map((value) => value * Math.sqrt(size)),
      row: row.map((value) => value / Math.sqrt(size)),
      share: size ** 2 / matrix.flat().reduce((sum, value) => sum + value ** 2, 0),
    };
  }

  const PRINCIPAL = principal(W);
  const STARTS = {
    lora: { column: range.map(() => 0), row: A_AT_RANDOM, still: W },
    pissa: { ...PRINCIPAL, still: grid((i, j) => W[i][j] - PRINCIPAL.column[i] * PRINCIPAL.row[j]) },
  };

  function make(tag, className, parent) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    parent?.append(node);
    return node;
  }

  class RankOne {
    constructor(root) {
      this.root = root;
      root.className = "rank-one";
      root.llada = this;
      this.sliders = {};
      this.build();
      this.begin("lora");
      new MutationObserver(() => this.relabel()).observe(document.documentElement, { attributeFilter: ["lang"] });
    }

    get words() {
      return WORDS[document.documentElement.lang === "en" ? "en" : "id"];
    }

    /** A number as the page's language writes it; no minus before a zero. */
    number(value, digits = 2) {
      const language = document.documentElement.lang === "en" ? "en" : "id";
      const text = new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
      return text.format(Math.abs(value) < SAME ? 0 : value).replace("-", "−");
    }

    // ---- what stands on the page -----------------------------------------------------------------------------

    build() {
      const bar = make("div", "bar", this.root);
      const start = make("fieldset", "start", bar);
      this.legend = make("legend", "", start);
      this.radios = Object.keys(STARTS).map((name) => {
        const label = make("label", "", start);
        const input = make("input", "", label);
        Object.assign(input, { type: "radio", name: "rank-one-start", value: name });
        input.addEventListener("change", () => this.begin(name));
        return { input, text: make("span", "", label), name };
      });
      this.again = make("button", "again", bar);
      this.again.type = "button";
      this.again.addEventListener("click", () => this.begin(this.start));

      const sum = make("div", "sum", this.root);
      this.product = this.table(sum, "product", true);
      make("span", "sign", sum).textContent = "+";
      this.still = this.table(sum, "still");
      make("span", "sign", sum).textContent = "=";
      this.whole = this.table(sum, "whole");

      const label = make("label", "scale", this.root);
      this.scaleName = make("span", "", label);
      this.scale = make("input", "", label);
      Object.assign(this.scale, { type: "range", min: 0, max: 2, step: STEP });
      this.scaleValue = make("output", "", label);
      this.scale.addEventListener("input", () => this.setScale(Number(this.scale.value)));
      this.told = make("p", "told", this.root);
      this.told.setAttribute("role", "status");
      this.count = make("p", "count", this.root);
    }

    /** A 4 x 4 matrix; with `moving` a row of sliders above it and a column of sliders beside it. */
    table(parent, name, moving = false) {
      const table = make("table", name, parent);
      const caption = make("caption", "", table);
      const title = make("strong", "", caption);
      const note = make("span", "", caption);
      if (moving) {
        const line = make("tr", "", table);
        make("td", "corner", line);
        this.sliders.row = range.map((j) => this.slider(line, "col", "row", j));
      }
      const columns = [];
      const cells = range.map((i) => {
        const line = make("tr", "", table);
        if (moving) columns.push(this.slider(line, "row", "column", i));
        return range.map(() => make("td", "cell", line));
      });
      if (moving) this.sliders.column = columns;
      return { title, note, cells };
    }

    slider(line, scope, side, at) {
      const head = make("th", "cell moving", line);
      head.scope = scope;
      const value = make("span", "", head);
      const input = make("input", "", head);
      Object.assign(input, { type: "range", min: -LIMIT, max: LIMIT, step: 0.01 });
      input.addEventListener("input", () => this.set(side, at, Number(input.value)));
      input.addEventListener("keydown", (event) => {
        const way = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
        if (!way) return;
        event.preventDefault();
        this.set(side, at, Math.round((this[side][at] + way * STEP) * 100) / 100);
      });
      return { head, value, input };
    }

    // ---- what it shows ---------------------------------------------------------------------------------------

    begin(name) {
      this.start = name;
      this.column = [...STARTS[name].column];
      this.row = [...STARTS[name].row];
      this.s = 1;
      this.moved = null;
      this.relabel();
    }

    set(side, at, value) {
      this[side][at] = Math.max(-LIMIT, Math.min(LIMIT, value));
      this.moved = { side, at };
      this.draw();
    }

    setScale(value) {
      this.s = value;
      this.moved = { side: "scale" };
      this.draw();
    }

    relabel() {
      const { words } = this;
      this.legend.textContent = words.start;
      for (const { text, name } of this.radios) text.textContent = words[name];
      this.again.textContent = words.again;
      this.scaleName.textContent = words.scale;
      this.count.textContent = words.count;
      for (const side of ["column", "row"]) {
        this.sliders[side].forEach(({ input }, at) => input.setAttribute("aria-label", words[side](at + 1)));
      }
      this.draw();
    }

    draw() {
      const { words } = this;
      const still = STARTS[this.start].still;
      const product = grid((i, j) => this.s * this.column[i] * this.row[j]);
      for (const { input, name } of this.radios) input.checked = name === this.start;
      for (const side of ["column", "row"]) {
        this.sliders[side].forEach(({ head, value, input }, at) => {
          this.paint(head, this[side][at], value);
          input.value = this[side][at];
          input.setAttribute("aria-valuetext", this.number(this[side][at]));
        });
      }
      this.fill(this.product, this.s === 1 ? words.product : `${this.number(this.s, 1)} · ${words.product}`,
        words.productNote, product);
      const kind = this.start === "lora" ? "w" : "rest";
      this.fill(this.still, words[kind], words[`${kind}Note`], still);
      this.fill(this.whole, words.sum, words.sumNote, grid((i, j) => still[i][j] + product[i][j]));
      grid((i, j) => {
        const { side, at } = this.moved || {};
        const touched = (side === "column" && at === i) || (side === "row" && at === j);
        this.product.cells[i][j].classList.toggle("touched", touched);
        const differs = Math.abs(still[i][j] + product[i][j] - W[i][j]) >= SAME;
        this.whole.cells[i][j].classList.toggle("differs", differs);
      });
      this.scale.value = this.s;
      this.scaleValue.textContent = this.number(this.s, 1);
      this.scale.setAttribute("aria-valuetext", this.number(this.s, 1));
      this.told.textContent = this.sentence();
    }

    fill(table, title, note, values) {
      table.title.textContent = title;
      table.note.textContent = note;
      grid((i, j) => this.paint(table.cells[i][j], values[i][j]));
    }

    /** The number, on a ground whose strength is its size (CSS mixes it). */
    paint(cell, value, text = cell) {
      text.textContent = this.number(value);
      cell.style.setProperty("--size", Math.min(1, Math.abs(value) / LIMIT).toFixed(3));
      cell.classList.toggle("below", value <= -SAME);
    }

    sentence() {
      const { words, moved, start, s } = this;
      if (s === 0) return words.off[start];
      if (!moved) return start === "lora" ? words.began.lora : words.began.pissa(this.percent(PRINCIPAL.share));
      if (moved.side === "scale") return words.scale_moved(this.number(s, 1));
      const [other, name] = moved.side === "column" ? [this.row, "A"] : [this.column, "B"];
      const zero = other.every((value) => Math.abs(value) < SAME);
      const value = this.number(this[moved.side][moved.at]);
      return words[`${moved.side}_moved`](moved.at + 1, value) + (zero ? words.nothing(name) : "");
    }

    percent(share) {
      return `${this.number(share * 100, 0)} %`;
    }
  }

  // It is drawn when its fold is opened.
  const waiting = new MutationObserver(() => {
    const place = document.getElementById("rank-one");
    if (!place?.checkVisibility() || place.firstElementChild?.llada) return;
    place.replaceChildren(document.createElement("div"));
    new RankOne(place.firstElementChild);
    waiting.disconnect();
  });
  waiting.observe(document.documentElement, { subtree: true, childList: true, attributes: true });
})();
