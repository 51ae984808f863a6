// What the attention explorer draws, as plain shapes (ink.js): fills, arcs and matrices around the words of a pane, and
// the whole screen for a file. It reads the explorer and changes nothing in it.
(() => {
  const SMALLEST = 9; // pixels of a row that still has its word beside it
  const VIVID = 6;
  const ARCS = 12; // of each colour at most
  const THUMB = 56; // pixels of a small matrix

  /** [r, g, b, 255] of a colour that CSS gives as #rrggbb. */
  function rgba(colour) {
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).concat(255);
  }

  function tint(colour, alpha) {
    return `rgba(${rgba(colour).slice(0, 3).join(", ")}, ${alpha.toFixed(2)})`;
  }

  /** The colours of the theme. */
  function look(explorer) {
    const style = getComputedStyle(explorer.root);
    const read = (name) => style.getPropertyValue(name).trim();
    return { to: read("--to"), from: read("--from"), ink: read("--ink"), quiet: read("--quiet"),
      hatch: read("--hatch"), line: read("--line"), paper: read("--paper"), font: style.fontFamily };
  }

  /** Everything around the words of a pane. */
  function around(explorer, pane, colours) {
    const { active, view } = explorer;
    const found = [];
    if (active.length) found.push(...fills(explorer, pane, colours));
    if (active.length && view === "arcs") found.push(...arcs(explorer, pane, colours));
    if (view === "matrix" || view === "scheme") found.push(...grid(explorer, pane, colours));
    for (const at of active) {
      const { x, y, w, h } = pane.boxes[at];
      found.push({ kind: "frame", x: x + 1, y: y + 1, w: w - 2, h: h - 2, stroke: colours.ink, width: 2 });
    }
    return found;
  }

  /** Behind every word: above, what the active words give it; below, what it gives them; a hatch where nothing may. */
  function fills(explorer, pane, colours) {
    const { active, size } = explorer;
    const { to, from } = explorer.shares(pane.regime);
    const sinks = explorer.sinks(pane.regime);
    const most = (of) => {
      let best = 1e-9;
      for (let j = 0; j < size; j += 1) if (!sinks.has(j) && !active.includes(j)) best = Math.max(best, of[j]);
      return best;
    };
    const [mostTo, mostFrom] = [most(to), most(from)];
    const strong = (share, best, sink) => Math.min(1, share / best) ** 0.7 * (sink ? 0.15 : 0.75);
    const found = [];
    for (let j = 0; j < size; j += 1) {
      const { x, y, w, h } = pane.boxes[j];
      const half = h / 2;
      const parts = [
        [y, to[j], mostTo, colours.to, active.some((i) => explorer.allowed(pane.regime, i, j))],
        [y + half, from[j], mostFrom, colours.from, active.some((i) => explorer.allowed(pane.regime, j, i))],
      ];
      for (const [top, share, best, colour, may] of parts) {
        if (!may) found.push({ kind: "hatch", x, y: top, w, h: half, stroke: colours.hatch });
        else if (share > 0) {
          found.push({ kind: "rect", x, y: top, w, h: half, fill: tint(colour, strong(share, best, sinks.has(j))) });
        }
      }
    }
    return found;
  }

  /** Arcs above the words to what is looked at, and below them from what looks. */
  function arcs(explorer, pane, colours) {
    const { active } = explorer;
    const { to, from } = explorer.shares(pane.regime);
    const sinks = explorer.sinks(pane.regime);
    const arc = (a, b, strength, above, colour) => {
      const [one, other] = [pane.boxes[a], pane.boxes[b]];
      const [x1, x2] = [one.x + one.w / 2, other.x + other.w / 2];
      const [y1, y2] = above ? [one.y, other.y] : [one.y + one.h, other.y + other.h];
      const lift = Math.min(22, 6 + Math.abs(x2 - x1) / 14) * (above ? -1 : 1);
      return { kind: "curve", points: [x1, y1, x1, y1 + lift, x2, y2 + lift, x2, y2], width: 1 + 3 * strength,
        stroke: tint(colour, 0.3 + 0.65 * strength) };
    };
    return [[to, true, colours.to], [from, false, colours.from]].flatMap(([shares, above, colour]) => {
      const strongest = [...shares.keys()].filter((j) => !sinks.has(j) && !active.includes(j) && shares[j] > 0)
        .sort((a, b) => shares[b] - shares[a]).slice(0, ARCS);
      return strongest.flatMap((j) => active.map((i) => arc(i, j, shares[j] / shares[strongest[0]], above, colour)));
    });
  }

  /** The whole matrix: who looks from top to bottom, what is looked at from left to right. */
  function grid(explorer, pane, colours) {
    const { size, active } = explorer;
    const { x, y, w } = pane.square;
    const cell = w / size;
    const found = [Object.assign(cells(explorer, pane, colours), { x, y, w })];
    for (let i = 0; i < size; i += 1) {
      let first = 0;
      while (first < size && explorer.allowed(pane.regime, i, first)) first += 1;
      if (first < size) {
        found.push({ kind: "hatch", x: x + first * cell, y: y + i * cell, w: (size - first) * cell, h: cell,
          stroke: colours.hatch });
      }
    }
    found.push({ kind: "frame", x, y, w, h: w, stroke: colours.line, width: 1 });
    const height = Math.min(13, Math.max(9, cell * 0.8));
    for (let i = 0; i < size; i += 1) {
      if (cell < SMALLEST && !active.includes(i)) continue;
      const word = explorer.face(i);
      found.push({ kind: "text", text: word.length > 12 ? `${word.slice(0, 11)}…` : word, align: "right", x: x - 6,
        y: y + (i + 0.5) * cell + height * 0.35, fill: active.includes(i) ? colours.ink : colours.quiet,
        font: `${active.includes(i) ? 650 : 400} ${height}px ${colours.font}` });
    }
    for (const i of active) {
      found.push({ kind: "frame", x, y: y + i * cell, w, h: cell, stroke: colours.to, width: 1.5 },
        { kind: "frame", x: x + i * cell, y, w: cell, h: w, stroke: colours.from, width: 1.5 });
    }
    return found;
  }

  /** The cells of a matrix. Hovering asks for them again and again: the pane keeps what it drew last. */
  function cells(explorer, pane, colours) {
    const values = explorer.view === "scheme" ? null : explorer.matrix(pane.regime);
    const key = [values, values ? explorer.fade : explorer.block, colours.to];
    if (!pane.cells || key.some((part, at) => part !== pane.cells.key[at])) {
      const found = values ? faded(explorer, pane.regime, values) : scheme(explorer, pane.regime);
      pane.cells = { key, shape: { kind: "grid", size: explorer.size, values: found, colour: rgba(colours.to) } };
    }
    return pane.cells.shape;
  }

  function faded(explorer, regime, values) {
    const { size } = explorer;
    const sinks = explorer.sinks(regime);
    const gain = size / VIVID; // full colour is so many times an even spread
    return values.map((share, k) => share * gain * (sinks.has(k % size) ? 0.1 : 1));
  }

  function scheme(explorer, regime) {
    const { size } = explorer;
    return Float32Array.from({ length: size * size },
      (_, k) => (explorer.allowed(regime, Math.floor(k / size), k % size) ? 0.35 : 0));
  }

  /** A canvas with the matrix of full attention at a layer and head. */
  function thumbnail(explorer, at, colours) {
    const { size } = explorer;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = THUMB;
    const values = explorer.matrix("full", at).map((share) => (share * size) / VIVID);
    const shape = { kind: "grid", x: 0, y: 0, w: THUMB, size, values, colour: rgba(colours.to) };
    window.llada.ink.draw(canvas.getContext("2d"), [shape]);
    return canvas;
  }

  /** Everything on the screen as shapes, words and captions too. */
  function screen(explorer) {
    const colours = look(explorer);
    const origin = explorer.panes.getBoundingClientRect();
    const found = [{ kind: "rect", x: 0, y: 0, w: explorer.width, h: explorer.height, fill: colours.paper }];
    for (const pane of explorer.boards) {
      found.push(...around(explorer, pane, colours), ...written(pane.title, origin, colours, "650"));
      for (const element of [pane.note, ...pane.spans, pane.told]) found.push(...written(element, origin, colours));
    }
    return found;
  }

  /** The text of an element, line by line where it is wrapped. */
  function written(element, origin, colours, weight = "400") {
    const node = element.firstChild;
    if (!node) return [];
    const { fontSize, color } = getComputedStyle(element);
    const size = parseFloat(fontSize);
    const blank = element.classList.contains("blank");
    const found = [];
    const range = document.createRange();
    let [start, line] = [0, null];
    const put = (end) => found.push({ kind: "text", fill: blank ? colours.ink : color,
      text: blank ? window.llada.attentionWords.BLANK : node.data.slice(start, end).trim(),
      font: `${weight} ${size}px ${colours.font}`, x: line.left - origin.left,
      y: line.bottom - origin.top - size * 0.3 });
    for (let at = 0; at < node.data.length; at += 1) {
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
    return found;
  }

  window.llada = window.llada || {};
  window.llada.attentionShapes = { look, around, thumbnail, screen };
})();
