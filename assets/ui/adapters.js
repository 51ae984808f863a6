// The card of the adapter that was chosen: all of it is a stranger's, and becomes the text of elements.
window.llada.adapterCard = (told) => {
  const { place, summary, facts, text } = JSON.parse(told);
  const root = document.getElementById(place);
  if (!root) return;
  const make = (tag, content = "") => Object.assign(document.createElement(tag), { textContent: content });
  let card = root.querySelector("details");
  root.classList.toggle("shown", Boolean(summary));
  if (!summary) {
    card?.remove();
    return;
  }
  card = card || root.appendChild(make("details"));
  const list = make("dl");
  for (const [name, value] of facts) {
    const fact = make("div");
    fact.append(make("dt", name), make("dd", value));
    list.append(fact);
  }
  card.replaceChildren(make("summary", summary), list, make("pre", text));
};
