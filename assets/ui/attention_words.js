// What the attention explorer says, in both languages, and how it writes a word and a share.
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

  const BLANK = "__";

  function face(word, kind) {
    if (kind === "mask") return "░░";
    return word.trim().replace(/^<\|(.*)\|>$/, "$1") || (/\n/.test(word) ? "↵" : "␣");
  }

  function percent(share) {
    return `${(100 * share).toFixed(share && share < 0.1 ? 1 : 0)} %`;
  }

  window.llada = window.llada || {};
  window.llada.attentionWords = { WORDS, BLANK, face, percent };
})();
