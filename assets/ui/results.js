// The results on the comparison tab: verdicts, tables and the worst answers, from what the server says. What stands in
// a results file enters the page through textContent only.
(() => {
  const [OURS, PUBLISHED] = [3, 4]; // digits of a score
  const { make } = window.llada;
  const WORDS = {
    id: {
      about: (a) => [
        `Diukur ${a.date} pada ${a.model}`,
        a.count && `${a.count} pertanyaan yang tidak dilatihkan`,
        a.steps && `${a.steps} langkah, suhu ${a.temperature}`,
        a.random && `kosinus dua teks tak berhubungan: ${a.random}`,
      ],
      believed: "Dapat dipercaya", doubted: "Jangan dipercaya",
      clean: "Tidak ditemukan tanda bahwa skornya menipu.",
      metric: "Metrik", better: "lebih baik", worse: "lebih buruk", chance: "dapat kebetulan",
      higher: "makin tinggi makin baik", lower: "makin rendah makin baik",
      table: "Semua metrik, tiap sistem", publishedTable: "Skor yang diterbitkan, tiap adapter",
      legend: "Di bawah rata-rata: selang 95 % [rendah – tinggi], lalu perubahan terhadap model dasar. ✓ lebih baik dan "
        + "✗ lebih buruk, bukan kebetulan (p < 0,05 setelah koreksi Holm, atau alasan sebuah putusan); ≈ dapat "
        + "kebetulan; tanpa tanda: tidak diuji. ↑ makin tinggi makin baik, ↓ makin rendah makin baik.",
      publishedLegend: "Rata-rata ± simpangan baku dengan adapter, lalu perubahan terhadap model dasar; ✗ di bawah model "
        + "dasar. r: peringkat, α: alpha, η: laju belajar.",
      corpus: "korpus",
      worst: (count) => `${count} yang paling tidak wajar bagi model dasar`,
      even: (count) => `${count} yang diambil merata dari semuanya`, worstTitle: "Bacalah sendiri jawaban terburuknya",
      prompt: "Pertanyaan", reference: "Rujukan", text: "Jawaban", blank: "(kosong)",
      empty: "Belum ada hasil pengukuran di sini. Perintah ini membuatnya:",
    },
    en: {
      about: (a) => [
        `Measured ${a.date} on ${a.model}`,
        a.count && `${a.count} questions never trained on`,
        a.steps && `${a.steps} steps, temperature ${a.temperature}`,
        a.random && `cosine of two unrelated texts: ${a.random}`,
      ],
      believed: "Can be believed", doubted: "Do not believe",
      clean: "No sign was found that its scores deceive.",
      metric: "Metric", better: "better", worse: "worse", chance: "may be chance",
      higher: "higher is better", lower: "lower is better",
      table: "Every metric of every system", publishedTable: "Published scores of every adapter",
      legend: "Below a mean: its 95 % interval [low – high], then the change against the base. ✓ better and ✗ worse, more "
        + "than chance (p < 0.05 after Holm's correction, or the reason of a verdict); ≈ may be chance; without a mark: "
        + "not tested. ↑ higher is better, ↓ lower is better.",
      publishedLegend: "Mean ± standard deviation with the adapter, then the change against the base; ✗ below the base. "
        + "r: rank, α: alpha, η: learning rate.",
      corpus: "corpus",
      worst: (count) => `the ${count} least like language to the base`,
      even: (count) => `${count} taken evenly from all`, worstTitle: "Read its worst answers for yourself",
      prompt: "Question", reference: "Reference", text: "Answer", blank: "(blank)",
      empty: "There are no results here yet. This command makes them:",
    },
  };

  /** An empty element of ours inside a component of the page. */
  function place(id) {
    const root = make("div", "results");
    document.getElementById(id).replaceChildren(root);
    return root;
  }

  class Writer {
    constructor(language, digits) {
      this.digits = digits;
      this.language = language === "en" ? "en" : "id";
      this.words = WORDS[this.language];
    }

    number(value, options) {
      return new Intl.NumberFormat(this.language, options).format(value).replace("-", "−");
    }

    /** A score, with as many digits as are known of it. */
    score(value) {
      return this.number(value, { minimumFractionDigits: this.digits, maximumFractionDigits: this.digits });
    }

    /** A change: in percent of the base, or as it is where the base is 0. */
    change({ percent, difference }) {
      const signed = { signDisplay: "exceptZero" };
      if (percent === null || percent === undefined) {
        return this.number(difference, { ...signed, maximumSignificantDigits: 2 });
      }
      const digits = Math.abs(percent) < 10 ? 1 : 0;
      return `${this.number(percent, { ...signed, maximumFractionDigits: digits })} %`;
    }

    /** The change, with a mark and a word that say what it means: not by colour alone. */
    marked(parent, tag, told) {
      const { kind } = told;
      const node = make(tag, `change ${kind}`, parent);
      if (kind) {
        make("span", "mark", node, { better: "✓", worse: "✗", chance: "≈" }[kind]).setAttribute("aria-hidden", "true");
        make("span", "unseen", node, `${this.words[kind]} `);
      }
      node.append(this.change(told));
    }

    // ---- verdicts --------------------------------------------------------------------------------------------

    verdicts(root, data) {
      const { about } = data;
      const random = about.random && this.number(about.random, { maximumFractionDigits: 2 });
      const temperature = this.number(about.temperature ?? 0, { maximumFractionDigits: 2 });
      make("p", "about", root, this.words.about({ ...about, random, temperature }).filter(Boolean).join(" · "));
      const cards = make("div", "verdicts", root);
      data.verdicts.forEach((verdict, at) => {
        const card = make("section", `verdict ${verdict.believed ? "believed" : "doubted"}`, cards);
        const head = make("h3", "", card);
        this.chip(head, data.columns[at + 1]);
        make("span", "", head, verdict.name);
        const answer = make("p", "answer", card);
        make("span", "", answer, verdict.believed ? "✓" : "✗").setAttribute("aria-hidden", "true");
        answer.append(` ${verdict.believed ? this.words.believed : this.words.doubted}`);
        const figures = make("dl", "", card);
        for (const figure of verdict.figures) {
          const pair = make("div", "", figures);
          make("dt", "", pair, figure.name);
          this.marked(pair, "dd", figure);
        }
        const reasons = make("ul", "", card);
        for (const reason of verdict.reasons) make("li", "", reasons, reason);
        if (!verdict.reasons.length) reasons.replaceWith(make("p", "clean", null, this.words.clean));
      });
    }

    chip(parent, column) {
      const chip = make("span", "chip", parent);
      chip.setAttribute("aria-hidden", "true");
      if (column.colour) chip.style.background = column.colour;
    }

    // ---- tables ----------------------------------------------------------------------------------------------

    /** Groups of metrics as bodies, metrics as rows, systems as columns. */
    table(root, data, caption, legend) {
      const frame = make("div", "frame", root);
      frame.tabIndex = 0; // it scrolls where it is wider than the page
      frame.setAttribute("role", "region");
      frame.setAttribute("aria-label", caption);
      const table = make("table", "", frame);
      const head = make("tr", "", make("thead", "", table));
      make("th", "", head, this.words.metric).scope = "col";
      for (const column of data.columns) {
        const cell = make("th", "", head);
        cell.scope = "col";
        if (column.colour !== undefined) this.chip(cell, column);
        cell.append(column.name);
        if (column.method) this.recipe(cell, column);
      }
      for (const [group, title] of Object.entries(data.groups)) {
        const rows = data.rows.filter((row) => row.group === group);
        if (rows.length) this.group(table, title, rows, data.columns.length);
      }
      make("p", "legend", root, legend);
    }

    /** How a published adapter was made, a line each. */
    recipe(cell, { method, rank, alpha, rate }) {
      const rated = this.number(rate, { maximumFractionDigits: 6 });
      for (const line of [method, `r ${rank} · α ${alpha}`, `η ${rated}`]) make("span", "note line", cell, line);
    }

    group(table, title, rows, width) {
      const body = make("tbody", "", table);
      const line = make("tr", "group", body);
      const name = make("th", "", line);
      name.scope = "rowgroup";
      name.colSpan = width + 1;
      make("span", "", name, title);
      for (const row of rows) {
        const tr = make("tr", "", body);
        const head = make("th", "", tr, row.name);
        head.scope = "row";
        if (row.better) {
          make("span", "way", head, row.better > 0 ? " ↑" : " ↓").setAttribute("aria-hidden", "true");
          make("span", "unseen", head, ` (${row.better > 0 ? this.words.higher : this.words.lower})`);
        }
        make("span", "note", head, row.what);
        for (const cell of row.cells) this.cell(tr, cell);
      }
    }

    cell(line, cell) {
      const td = make("td", "", line);
      if (cell.mean === null || cell.mean === undefined) {
        td.textContent = "–";
        return;
      }
      make("span", "mean", td, this.score(cell.mean));
      const known = (value) => value !== null && value !== undefined;
      if (known(cell.low) && known(cell.high)) {
        make("span", "spread", td, `[${this.score(cell.low)} – ${this.score(cell.high)}]`);
      } else if (known(cell.std)) make("span", "spread", td, `± ${this.score(cell.std)}`);
      if (known(cell.corpus)) make("span", "spread", td, `${this.words.corpus} ${this.score(cell.corpus)}`);
      if (known(cell.difference)) this.marked(td, "span", cell);
    }

    // ---- the worst answers -----------------------------------------------------------------------------------

    worst(root, data) {
      const shown = data.worst.map((system, at) => ({ ...system, column: data.columns[at] }));
      const told = shown.filter(({ worst, even }) => worst.length + even.length);
      if (told.length) make("h3", "", root, this.words.worstTitle);
      for (const { name, column, worst, even } of told) {
        const fold = make("details", "", root);
        const summary = make("summary", "", fold);
        this.chip(summary, column);
        summary.append(name);
        for (const [why, examples] of Object.entries({ worst, even })) {
          if (examples.length) this.answers(fold, this.words[why](examples.length), examples);
        }
      }
    }

    answers(fold, title, examples) {
      make("h4", "", fold, title);
      const list = make("ol", "", fold);
      for (const example of examples) {
        const parts = make("dl", "", make("li", "", list));
        for (const part of ["prompt", "text", "reference"]) {
          const pair = make("div", part, parts);
          make("dt", "", pair, this.words[part]);
          const blank = !example[part].trim();
          make("dd", blank ? "blank" : "", pair, blank ? this.words.blank : example[part]);
        }
      }
    }

    empty(root, command) {
      const box = make("div", "empty", root);
      make("p", "", box, this.words.empty);
      make("code", "", box, command);
    }
  }

  Object.assign(window.llada, {
    results: {
      /** What the server says of a file, or, where there is none, the command that makes one. */
      take(text) {
        if (!text) return;
        const data = JSON.parse(text);
        const writer = new Writer(data.language, OURS);
        const [verdicts, table, worst] = ["results-verdicts", "results-table", "results-worst"].map(place);
        if (data.command) {
          writer.empty(verdicts, data.command);
          return;
        }
        writer.verdicts(verdicts, data);
        writer.table(table, data, writer.words.table, writer.words.legend);
        writer.worst(worst, data);
      },

      takePublished(text) {
        if (!text) return;
        const data = JSON.parse(text);
        const writer = new Writer(data.language, PUBLISHED);
        writer.table(place("published-table"), data, writer.words.publishedTable, writer.words.publishedLegend);
      },
    },
  });

  // What is drawn in a hidden tab has a wrong width. So it is asked for when it is first seen, and measured anew
  // whenever it is seen again.
  const waiting = new MutationObserver(() => {
    const section = document.getElementById("results");
    if (!section?.checkVisibility()) return;
    waiting.disconnect();
    document.getElementById("results-seen").click();
    let width = section.clientWidth;
    new ResizeObserver(() => {
      if (!width && section.clientWidth) window.dispatchEvent(new Event("resize"));
      width = section.clientWidth;
    }).observe(section);
  });
  waiting.observe(document.documentElement, { subtree: true, childList: true, attributes: true });
})();
