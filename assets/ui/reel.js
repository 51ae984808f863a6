// From the lines that the server writes to a player on the page.
class Reel {
  /** place: the id of the element that holds the player; options: the player's, `follows` as another reel. */
  constructor(place, options = {}) {
    this.place = place;
    this.options = options;
    this.run = null; // whose lines are on the board
    this.read = 0; // characters of them that were read
    this.watch = this.watch.bind(this);
  }

  /** The player, made when it is first needed. */
  get player() {
    const place = document.getElementById(this.place);
    if (!place) return null;
    let root = place.querySelector(".player");
    if (!root) {
      root = place.appendChild(document.createElement("div"));
      const follows = this.options.follows?.player;
      new window.llada.Player(root, { ...this.options, follows });
    }
    return root.llada;
  }

  /** Lines of JSON that grow at their end: {run, head}, {frame}, ..., {end}; or one line {run, film}. */
  watch(text) {
    const player = this.player;
    if (!player || !text) return;
    const run = text.slice(0, 24);
    if (run !== this.run) [this.run, this.read] = [run, 0];
    const fresh = text.slice(this.read, text.lastIndexOf("\n") + 1);
    this.read += fresh.length;
    const frames = [];
    for (const line of fresh.split("\n").filter(Boolean)) {
      const data = JSON.parse(line);
      if (data.head || data.film) this.beside(data.other);
      if (data.film) player.load(data.film, this.step);
      if (data.head) player.begin(data.head);
      if (data.frame) frames.push(data.frame);
      if (data.end) {
        if (frames.length) player.add(frames.splice(0));
        player.finish(data.end);
      }
    }
    this.step = undefined;
    if (frames.length) player.add(frames);
  }

  /** The run beside this one, or none. */
  beside(film) {
    const { other } = this;
    if (!other) return;
    document.getElementById(other.place).classList.toggle("shown", Boolean(film));
    if (film) other.player.load(film);
    else other.player.head = null;
  }
}
