// The unmasking tab: which reel feeds which board, and from the player back to the server.
const mainReel = new Reel("unmasking-board", { steer: true });
mainReel.other = new Reel("unmasking-other", { follows: mainReel });
const leftReel = new Reel("left-board");
const forwardReel = new Reel("forward-board");
const rightReel = new Reel("right-board", { follows: leftReel });

Object.assign(window.llada, {
  unmasking: {
    watch: mainReel.watch,
    watchLeft: leftReel.watch,
    watchRight: rightReel.watch,

    /** What was changed on the board, for the server. */
    steering(trace, message, language) {
      const { player } = mainReel;
      return [null, player?.head ? player.steering() : "", language];
    },

    /** A recording from the visitor's disk; "" where nothing was chosen. */
    open(message, language) {
      return new Promise((resolve) => {
        const picker = document.createElement("input");
        picker.type = "file";
        picker.accept = ".json,application/json";
        picker.addEventListener("cancel", () => resolve(["", language]));
        picker.addEventListener("change", async () => {
          const file = picker.files[0];
          // One character more than is allowed is enough for the server to say that it is too much.
          resolve([file ? await file.slice(0, 5 * 2 ** 20 + 1).text() : "", language]);
        });
        picker.click();
      });
    },

    /** The same, for the run that is shown beside the one on the board. */
    async openBeside(trace, message, language) {
      return [null, ...(await window.llada.unmasking.open(message, language))];
    },

    /** Which step is shown, for a picture of it. */
    at(trace, kind, message, language) {
      const { player } = mainReel;
      return [null, kind, String(player?.at ?? ""), language];
    },

    /** A file from the server: {ending, data in base64}. */
    save(text) {
      if (!text) return;
      const { ending, data } = JSON.parse(text);
      const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      const type = { json: "application/json", html: "text/html", gif: "image/gif", mp4: "video/mp4", png: "image/png" };
      window.llada.save(bytes, `llada-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.${ending}`,
        type[ending]);
    },
  },
});

// The forward process: every token has a number, and is masked while t is above it.
Object.assign(window.llada, {
  forward: {
    tokens: null,
    watch: forwardReel.watch,

    learn(text, t) {
      if (!text) return;
      window.llada.forward.tokens = JSON.parse(text);
      window.llada.forward.draw(t);
    },

    draw(t) {
      const { tokens } = window.llada.forward;
      if (!tokens || !forwardReel.player) return;
      const { cells, u, question } = tokens;
      const fixed = Object.fromEntries(cells.map((text, at) => [at, text]).filter(([at]) => u[at] >= t));
      const length = cells.length;
      forwardReel.player.begin({ question, length, block: length, steps: length, fixed, about: {} });
      forwardReel.player.finish({ cells, tail: length });
      forwardReel.run = null;
    },
  },
});

// A link opens a recorded scene at a step: ?trace=NAME&step=12. Without one, the first scene waits on the board.
(() => {
  const wish = new URLSearchParams(location.search);
  const name = wish.get("trace");
  let done = false;
  new MutationObserver(() => {
    const tabs = [...document.querySelectorAll("#tabs [role=tab]")];
    if (name && !done && tabs[1] && tabs[1].getAttribute("aria-selected") !== "true") tabs[1].click();
    const scenes = [...document.querySelectorAll("#scenes input[type=radio]")];
    const scene = scenes.find((one) => one.value === name) || (name ? null : scenes[0]);
    if (done || !scene || !scene.checkVisibility()) return;
    done = true;
    if (wish.get("step")) mainReel.step = Number(wish.get("step")) || 0;
    if (!mainReel.run) scene.click();
  }).observe(document.documentElement, { subtree: true, childList: true, attributes: true });
})();
