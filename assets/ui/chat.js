// The chat tab: saving the conversation, Escape for stop, and how an answer was written.
const chatReel = new Reel("chat-board");

Object.assign(window.llada, {
  saveMarkdown(text) {
    window.llada.save(text, `${window.llada.conversationName()}.md`, "text/markdown");
  },

  saveJson(text) {
    window.llada.save(text, `${window.llada.conversationName()}.json`, "application/json");
  },

  watchChat(text) {
    document.getElementById("chat-board").classList.toggle("shown", Boolean(text));
    chatReel.watch(text);
  },

  conversationName() {
    return `llada-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}`;
  },
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const stop = document.querySelector("#message .stop-button");
  if (stop) stop.click();
});

// Gradio calls the examples a list, whose children are buttons: a screen reader needs another word for it.
new MutationObserver(() => {
  for (const list of document.querySelectorAll('.examples[role="list"]')) list.setAttribute("role", "group");
}).observe(document, { childList: true, subtree: true });
