// Many prompts: a table that grows a row at a time. All text of prompts and answers becomes the text of elements.
(() => {
  const MOST_SENT = 700 * 1024; // bytes, as in ui/many_batch.py; one more, and the server says that it is too much
  const LONG = 150; // characters from which a cell is clamped
  const { make } = window.llada;
  const WORDS = {
    id: {
      empty: "Setiap prompt dijawab oleh model dasar dan adapter yang dipilih, dengan benih yang sama. "
        + "Jawabannya muncul di sini, baris demi baris; kata yang berbeda dari model dasar ditandai.",
      caption: "Jawaban setiap prompt", number: "No.", prompt: "Prompt", reference: "Rujukan", base: "Model dasar",
      differs: (count) => `Hanya yang berbeda (${count})`, measure: "Nilai",
      working: (done, total) => `${done} dari ${total}`, left: (time) => `sisa kira-kira ${time}`, soon: "sebentar lagi",
      whole: (done, time) => `${done} prompt selesai dalam ${time}`,
      stopped: (done, total) => `Dihentikan: ${done} dari ${total} prompt selesai`,
      failed: (count) => `${count} tanpa jawaban lengkap`, progress: "Kemajuan",
      same: "sama dengan model dasar", different: (count) => `${count} berbeda`, mean: (value) => `rata-rata ${value}`,
      blank: "(kosong)", open: "Buka di panel", expand: (number) => `Buka seluruh baris ${number}`,
      sort: "urutkan", by: { differs: "menurut banyaknya kata yang berbeda", length: "menurut panjangnya" },
      byScore: (measure) => `menurut ${measure}`, none: "Tidak ada baris yang berbeda.",
    },
    en: {
      empty: "Every prompt is answered by the base and the chosen adapters, with the same seed. "
        + "The answers appear here, row by row; words that differ from the base are marked.",
      caption: "Answers to every prompt", number: "No.", prompt: "Prompt", reference: "Reference", base: "Base",
      differs: (count) => `Only rows that differ (${count})`, measure: "Score",
      working: (done, total) => `${done} of ${total}`, left: (time) => `about ${time} left`, soon: "in a moment",
      whole: (done, time) => `${done} prompts done in ${time}`,
      stopped: (done, total) => `Stopped: ${done} of ${total} prompts done`,
      failed: (count) => `${count} without all answers`, progress: "Progress",
      same: "same as the base", different: (count) => `${count} differ`, mean: (value) => `mean ${value}`,
      blank: "(blank)", open: "Open in panes", expand: (number) => `Open the whole row ${number}`,
      sort: "sort", by: { differs: "by the number of words that differ", length: "by length" },
      byScore: (measure) => `by ${measure}`, none: "No row differs.",
    },
  };
  const COLOURS = ["", "#56b4e9", "#009e73", "#cc79a7"]; // the base is ink

  function clock(milliseconds) {
    const seconds = Math.round(milliseconds / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  /** How a row is compared with others in a column: the greater, the later; null goes to the end. */
  const whole = (parts) => (parts ? parts.join("") : null);
  const changed = (parts) => parts.filter((_, at) => at % 2).join(" ").split(/\s+/).filter(Boolean).length;

  class Table {
    constructor(root) {
      this.root = root;
      this.language = "id";
      this.measure = 0;
      this.sorted = { column: "number", down: false };
      this.onlyDiffering = false;
      this.clear();
    }

    get words() {
      return WORDS[this.language];
    }

    clear() {
      Object.assign(this, { head: null, rows: [], opened: new Set(), over: false, read: 0 });
      clearInterval(this.timer);
    }

    // ---- what comes from the server --------------------------------------------------------------------------

    /** Lines of JSON that grow at their end: {run, head}, {row}, ..., {end}. */
    take(text) {
      const run = text.slice(0, 24);
      if (run !== this.run) {
        this.clear();
        this.run = run;
      }
      const fresh = text.slice(this.read, text.lastIndexOf("\n") + 1);
      this.read += fresh.length;
      const rows = [];
      for (const line of fresh.split("\n").filter(Boolean)) {
        const data = JSON.parse(line);
        if (data.head) this.begin(data.head);
        if (data.row) rows.push(data.row);
        if (data.end) this.end();
      }
      for (const row of rows) this.add(row);
      if (rows.length) this.last = performance.now();
      this.tell();
    }

    begin(head) {
      this.head = head;
      this.began = this.last = performance.now();
      this.measure = Math.min(this.measure, Math.max(head.measures.length - 1, 0));
      this.sorted = { column: "number", down: false };
      this.onlyDiffering = false;
      this.timer = setInterval(() => this.tell(), 1000);
      this.draw();
    }

    end() {
      this.over = true;
      this.ended = performance.now();
      clearInterval(this.timer);
    }

    add(row) {
      row.differs = row.answers.some((parts) => parts && parts.length > 1);
      const before = this.rows.find((other) => this.compare(row, other) < 0);
      this.rows.splice(before ? this.rows.indexOf(before) : this.rows.length, 0, row);
      row.node = this.line(row);
      this.body.insertBefore(row.node, before ? before.node : null);
    }

    // ---- the page --------------------------------------------------------------------------------------------

    /** Everything anew: at the beginning of a run, and in another language. */
    draw() {
      this.root.replaceChildren();
      if (!this.head) {
        make("p", "empty", this.root, this.words.empty);
        return;
      }
      const { words, head } = this;
      const bar = make("div", "bar", this.root);
      this.status = make("p", "status", bar);
      this.progress = make("progress", "", bar);
      this.progress.max = head.total;
      this.progress.setAttribute("aria-label", words.progress);
      this.told = make("p", "unseen", bar);
      this.told.setAttribute("role", "status");
      const choices = make("div", "choices", bar);
      if (head.systems.length > 1) this.filter(choices);
      if (head.measures.length) this.measures(choices);
      for (const note of head.notes) make("p", "note", this.root, note[this.language === "en" ? 1 : 0]);
      this.frame();
      this.sort();
      this.tell();
    }

    filter(parent) {
      const label = make("label", "", parent);
      const box = make("input", "", label);
      box.type = "checkbox";
      box.checked = this.onlyDiffering;
      this.count = make("span", "", label);
      box.addEventListener("change", () => {
        this.onlyDiffering = box.checked;
        for (const row of this.rows) row.node.hidden = this.hides(row);
        this.tell();
      });
    }

    measures(parent) {
      const label = make("label", "", parent);
      make("span", "", label, this.words.measure);
      const choice = make("select", "", label);
      for (const name of this.head.measures) make("option", "", choice, name);
      choice.selectedIndex = this.measure;
      choice.setAttribute("aria-label", this.words.measure);
      choice.addEventListener("change", () => {
        this.measure = choice.selectedIndex;
        this.sort();
        this.tell();
      });
    }

    frame() {
      const { words, head } = this;
      const frame = make("div", "frame", this.root);
      frame.tabIndex = 0; // it scrolls where it is wider than the page
      frame.setAttribute("role", "region");
      frame.setAttribute("aria-label", words.caption);
      const table = make("table", "", frame);
      table.setAttribute("role", "table"); // on a phone its parts are blocks, and would lose their roles
      table.style.setProperty("--columns", head.systems.length + (head.references ? 2 : 1));
      make("caption", "unseen", table, words.caption);
      const top = make("thead", "", table);
      top.setAttribute("role", "rowgroup");
      const line = make("tr", "", top);
      line.setAttribute("role", "row");
      this.heads = new Map();
      this.column(line, "number", words.number);
      this.column(line, "prompt", words.prompt);
      if (head.references) this.column(line, "reference", words.reference);
      head.systems.forEach((name, at) => this.column(line, at, name ?? words.base));
      this.body = make("tbody", "", table);
      this.body.setAttribute("role", "rowgroup");
      this.none = make("p", "empty", this.root, words.none);
    }

    column(line, column, name) {
      const cell = make("th", typeof column === "string" ? column : "answer", line);
      cell.scope = "col";
      cell.setAttribute("role", "columnheader");
      const button = make("button", "", cell);
      button.type = "button";
      if (typeof column === "number") this.chip(button, column);
      make("span", "name", button, name);
      make("span", "arrow", button).setAttribute("aria-hidden", "true");
      const note = typeof column === "number" ? make("span", "note", cell) : null;
      button.addEventListener("click", () => {
        const again = this.sorted.column === column;
        this.sorted = { column, down: again ? !this.sorted.down : typeof column === "number" };
        this.sort();
      });
      this.heads.set(column, { cell, button, note, name });
    }

    chip(parent, at) {
      const chip = make("span", "chip", parent);
      chip.setAttribute("aria-hidden", "true");
      if (COLOURS[at]) chip.style.background = COLOURS[at];
    }

    line(row) {
      const { words, head } = this;
      const line = make("tr");
      line.setAttribute("role", "row");
      line.hidden = this.hides(row);
      const long = [row.prompt, row.reference, ...row.answers.map(whole)].some((text) => (text ?? "").length > LONG);
      const number = this.cell(line, "number", words.number);
      number.setAttribute("role", "rowheader");
      make("span", "", number, String(row.at + 1));
      const prompt = this.cell(line, "prompt", words.prompt);
      make("div", "text", prompt, row.prompt);
      if (head.systems.length > 1) this.opener(prompt, row);
      if (head.references) make("div", "text", this.cell(line, "reference", words.reference), row.reference || "–");
      row.scored = row.answers.map((parts, at) => {
        const cell = this.cell(line, "answer", head.systems[at] ?? words.base);
        cell.style.setProperty("--chip", COLOURS[at] || "var(--ink)");
        this.answer(cell, row, parts, at);
        return head.measures.length ? make("span", "score", cell) : null;
      });
      this.score(row);
      if (long) this.clamp(line, number, row);
      return line;
    }

    cell(line, className, label) {
      const cell = make("td", className, line);
      cell.setAttribute("role", "cell");
      cell.dataset.label = label; // its heading, where the table is a list of cards
      return cell;
    }

    answer(cell, row, parts, at) {
      if (!parts) {
        make("p", "failed", cell, row.error ? row.error[this.language === "en" ? 1 : 0] : "–");
        return;
      }
      const text = make("div", "text", cell);
      parts.forEach((part, i) => part && make(i % 2 ? "mark" : "span", "", text, part));
      if (!whole(parts)) make("span", "blank", text, this.words.blank);
      if (at && parts.length === 1 && row.answers[0]) {
        cell.classList.add("same");
        make("span", "unseen", cell, this.words.same);
      }
    }

    /** The button that opens this row in the panes of the comparison, whoever shows them. */
    opener(cell, row) {
      const button = make("button", "open", cell, this.words.open);
      button.type = "button";
      button.setAttribute("aria-label", `${this.words.open}: ${row.at + 1}`);
      button.addEventListener("click", () => {
        const { systems, options } = this.head;
        const adapters = systems.filter((name) => name !== null);
        const detail = { prompt: row.prompt, seed: row.seed, adapters, options: { ...options, seed: row.seed } };
        document.dispatchEvent(new CustomEvent("llada-compare", { detail }));
      });
    }

    /** Long cells show their first lines, until the row is opened. */
    clamp(line, number, row) {
      const button = make("button", "expand", number);
      button.type = "button";
      button.setAttribute("aria-label", this.words.expand(row.at + 1));
      const show = () => {
        const open = this.opened.has(row.at);
        line.classList.toggle("clamped", !open);
        button.setAttribute("aria-expanded", String(open));
      };
      const toggle = () => {
        if (!this.opened.delete(row.at)) this.opened.add(row.at);
        show();
      };
      button.addEventListener("click", toggle);
      for (const text of line.querySelectorAll(".text")) {
        text.addEventListener("click", () => getSelection().isCollapsed && toggle());
      }
      line.classList.add("long");
      show();
    }

    /** The chosen score under each answer; the best is bold. */
    score(row) {
      const values = row.scores.map((score) => score && score[this.measure]);
      const best = Math.max(...values.filter((value) => value !== null));
      row.scored.forEach((node, at) => {
        if (!node) return;
        node.textContent = values[at] === null ? "" : `${this.head.measures[this.measure]} ${this.number(values[at])}`;
        node.classList.toggle("best", values[at] === best && values.some((value) => value !== best));
      });
    }

    number(value) {
      return value.toLocaleString(this.language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    }

    // ---- order and filter ------------------------------------------------------------------------------------

    hides(row) {
      return this.onlyDiffering && !row.differs;
    }

    key(row, column) {
      if (column === "number") return row.at;
      if (typeof column === "string") return row[column] || null;
      if (this.head.measures.length) return row.scores[column]?.[this.measure] ?? null;
      const parts = row.answers[column];
      return parts && (column ? changed(parts) : whole(parts).length);
    }

    compare(a, b) {
      const { column, down } = this.sorted;
      const [x, y] = [this.key(a, column), this.key(b, column)];
      if (x === null || y === null) return (x === null) - (y === null) || a.at - b.at;
      const order = typeof x === "string" ? x.localeCompare(y, this.language) : x - y;
      return (down ? -order : order) || a.at - b.at;
    }

    sort() {
      this.rows.sort((a, b) => this.compare(a, b));
      for (const row of this.rows) {
        if (row.node?.parentNode !== this.body) row.node = this.line(row);
        this.score(row);
      }
      this.body.append(...this.rows.map((row) => row.node));
      for (const [column, { cell, button, name }] of this.heads) {
        const here = column === this.sorted.column;
        cell.setAttribute("aria-sort", here ? (this.sorted.down ? "descending" : "ascending") : "none");
        button.setAttribute("aria-label", `${name}, ${this.words.sort} ${this.by(column)}`.trim());
        button.title = `${this.words.sort} ${this.by(column)}`.trim();
      }
    }

    by(column) {
      if (typeof column === "string") return "";
      if (this.head.measures.length) return this.words.byScore(this.head.measures[this.measure]);
      return this.words.by[column ? "differs" : "length"];
    }

    // ---- what is said ----------------------------------------------------------------------------------------

    /** How far it is, and the figures in the heads. */
    tell() {
      if (!this.head) return;
      const { words, head, rows } = this;
      const failed = rows.filter((row) => row.error).length;
      const more = failed ? [words.failed(failed)] : [];
      this.status.textContent = [...this.going(), ...more].join(" · ");
      const milestone = this.over ? this.status.textContent : words.working(0, head.total);
      if (this.told.textContent !== milestone) this.told.textContent = milestone;
      this.progress.value = rows.length;
      this.progress.classList.toggle("over", this.over);
      const differing = rows.filter((row) => row.differs).length;
      if (this.count) this.count.textContent = words.differs(differing);
      this.none.hidden = !(this.onlyDiffering && rows.length && !differing);
      for (const [column, { note }] of this.heads) if (note) note.textContent = this.figure(column);
    }

    going() {
      const { words, head, rows } = this;
      if (this.over) {
        const stopped = rows.length < head.total;
        return [stopped ? words.stopped(rows.length, head.total) : words.whole(rows.length, clock(this.ended - this.began))];
      }
      if (!rows.length) return [words.working(0, head.total)];
      const each = (this.last - this.began) / rows.length;
      const left = each * (head.total - rows.length) - (performance.now() - this.last);
      return [words.working(rows.length, head.total), left > 500 ? words.left(clock(left)) : words.soon];
    }

    /** Of a column: its mean score, or how many of its answers differ from the base's. */
    figure(column) {
      const { words, head, rows } = this;
      if (head.measures.length) {
        const values = rows.map((row) => row.scores[column]?.[this.measure] ?? null).filter((value) => value !== null);
        return values.length ? words.mean(this.number(values.reduce((sum, value) => sum + value, 0) / values.length)) : "";
      }
      return column ? words.different(rows.filter((row) => row.answers[column]?.length > 1).length) : "";
    }
  }

  let language = "id";

  /** The table, made when it is first needed. */
  function table() {
    const place = document.getElementById("many-board");
    if (!place) return null;
    let root = place.querySelector(".many");
    if (!root) {
      root = make("div", "many", place);
      root.llada = new Table(root);
      root.llada.language = language;
      root.llada.draw();
    }
    return root.llada;
  }

  Object.assign(window.llada, {
    many: {
      take(text) {
        if (text) table()?.take(text);
      },

      speak(spoken) {
        language = spoken === "en" ? "en" : "id";
        const shown = document.querySelector("#many-board .many")?.llada;
        if (!shown) return;
        shown.language = language;
        shown.draw();
      },

      /** What is pasted, not longer than a request may be. */
      asked(text, ...rest) {
        const bytes = new TextEncoder().encode(text ?? "");
        return [bytes.length > MOST_SENT ? "x".repeat(MOST_SENT + 1) : text, ...rest];
      },

      /** A file from the visitor's disk, {name, data in base64}; "" where none was chosen. */
      open(message, language) {
        return new Promise((resolve) => {
          const picker = document.createElement("input");
          picker.type = "file";
          picker.accept = ".csv,.tsv,.txt,text/csv,text/plain,text/tab-separated-values";
          picker.addEventListener("cancel", () => resolve(["", language]));
          picker.addEventListener("change", () => {
            const file = picker.files[0];
            if (!file) return resolve(["", language]);
            const reader = new FileReader();
            reader.addEventListener("error", () => resolve(["{}", language]));
            reader.addEventListener("load", () => {
              const data = reader.result.slice(reader.result.indexOf(",") + 1);
              resolve([JSON.stringify({ name: file.name, data }), language]);
            });
            return reader.readAsDataURL(file.slice(0, MOST_SENT + 1));
          });
          picker.click();
        });
      },

      /** A file from the server: {kind, data in base64}. */
      save(text) {
        if (!text) return;
        const { kind, data } = JSON.parse(text);
        const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
        const now = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
        window.llada.save(bytes, `llada-prompts-${now}.${kind}`, kind === "csv" ? "text/csv" : "application/json");
      },
    },
  });

  // Who opens the tab is told what will stand there.
  const waiting = new MutationObserver(() => {
    if (!document.getElementById("many-board")?.checkVisibility()) return;
    waiting.disconnect();
    table();
  });
  waiting.observe(document.documentElement, { subtree: true, childList: true, attributes: true });
})();
