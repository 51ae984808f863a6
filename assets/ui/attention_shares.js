// A record of attention as numbers: who looks at whom, by layer and head. It knows no page, only the JSON of
// AttentionRecord.to_dict (llada_demo/attention/record.py).
(() => {
  function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Uint16Array(bytes.buffer);
  }

  class Shares {
    constructor(record) {
      const { words, kinds, layers, heads, scale } = record;
      Object.assign(this, { kinds, layers, heads, scale, size: words.length });
      this.seen = {}; // of each regime: means over heads, rollout, sinks, and the heads of the layers that are here
      for (const [regime, { means, rollout, sinks, heads: packed }] of Object.entries(record.seen)) {
        const of = new Map(packed ? [[record.layer, unpack(packed)]] : []);
        this.seen[regime] = { means: unpack(means), rollout: unpack(rollout), sinks, of };
      }
      this.cache = new Map();
    }

    /** Are the heads of this layer here? */
    has(layer) {
      return this.seen.full.of.has(layer);
    }

    /** The heads of a layer have come: {regime: packed}. */
    learn(layer, heads) {
      for (const [regime, packed] of Object.entries(heads)) this.seen[regime].of.set(layer, unpack(packed));
      this.cache.clear();
    }

    /** Shares of a regime, row by row. layer: "mean", "rollout" or a number; head: "mean", "max" or a number. */
    matrix(regime, { layer, head }) {
      const key = `${regime} ${layer} ${head}`;
      if (!this.cache.has(key)) this.cache.set(key, this.compute(this.seen[regime], layer, head));
      return this.cache.get(key);
    }

    compute(seen, layer, head) {
      const cells = this.size * this.size;
      const found = new Float32Array(cells);
      const { scale, layers, heads } = this;
      const add = (from, start, by) => {
        for (let i = 0; i < cells; i += 1) found[i] += from[start + i] * by;
      };
      const of = seen.of.get(layer);
      if (layer === "rollout") add(seen.rollout, 0, 1 / scale);
      else if (layer === "mean") for (let n = 0; n < layers; n += 1) add(seen.means, n * cells, 1 / scale / layers);
      else if (head === "mean" || !of) add(seen.means, layer * cells, 1 / scale);
      else if (head === "max") {
        for (let h = 0; h < heads; h += 1) {
          for (let i = 0; i < cells; i += 1) found[i] = Math.max(found[i], of[h * cells + i] / scale);
        }
      } else add(of, head * cells, 1 / scale);
      return found;
    }

    /** What the rows look at (the mean over them) and what looks at them (the sum), word by word. */
    around(rows, matrix) {
      const { size } = this;
      const to = new Float32Array(size);
      const from = new Float32Array(size);
      for (const i of rows) {
        for (let j = 0; j < size; j += 1) {
          to[j] += matrix[i * size + j] / rows.length;
          from[j] += matrix[j * size + i];
        }
      }
      return { to, from };
    }

    /** The share of attention that goes forward: the mean over all rows but the last. */
    ahead(matrix) {
      let sum = 0;
      for (let i = 0; i < this.size - 1; i += 1) {
        for (let j = i + 1; j < this.size; j += 1) sum += matrix[i * this.size + j];
      }
      return this.size > 1 ? sum / (this.size - 1) : 0;
    }

    /** The share that goes to masks: the mean over all rows. */
    toMasks(matrix) {
      let sum = 0;
      for (let k = 0; k < matrix.length; k += 1) if (this.kinds[k % this.size] === "mask") sum += matrix[k];
      return sum / this.size;
    }
  }

  window.llada = window.llada || {};
  window.llada.Shares = Shares;
})();
