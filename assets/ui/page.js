// What every tab shares: the theme switch, the language of the browser, saving a text as a file.
window.llada = {
  /** Light to dark and back; the page starts as the system has it. */
  switchTheme() {
    document.body.classList.toggle("dark");
  },

  /** "en" where the browser asks for English, otherwise "id". Also tells screen readers. */
  browserLanguage() {
    const language = (navigator.language || "id").toLowerCase().startsWith("en") ? "en" : "id";
    document.documentElement.lang = language;
    return language;
  },

  /** Tells screen readers, and what draws by itself, which language the visitor chose. */
  speak(language) {
    document.documentElement.lang = language;
  },

  /** A new element at the end of its parent; what it says is text, never HTML. */
  make(tag, className, parent, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    parent?.append(element);
    return element;
  },

  /** Offers a text (or bytes) to the visitor as a file; nothing is kept on the server. */
  save(text, name, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: typeof text === "string" ? `${type};charset=utf-8` : type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },
};
