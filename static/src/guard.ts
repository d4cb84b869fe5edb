// The field that the visitor is editing: a push must not take the text away.

const PAUSE = 2_000;
const NOT_TEXT = new Set(
  "button checkbox color file hidden image radio range reset submit".split(" "),
);

let typed: { at: number; in: EventTarget | null } = { at: Number.NEGATIVE_INFINITY, in: null };
let composing = false;

/** Begin to note when something is typed. */
export function watchTyping(): void {
  const options = { capture: true, passive: true };
  addEventListener("input", (event) => (typed = { at: Date.now(), in: event.target }), options);
  addEventListener("compositionstart", () => (composing = true), options);
  addEventListener("compositionend", () => (composing = false), options);
}

type Field = HTMLElement & Partial<Pick<HTMLInputElement, "value">>;

/** The focused text field that is bound to a property of a component, if there is one. */
function fieldOf(root: HTMLElement, name: string): Field | null {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || !root.contains(active)) return null;
  const isText =
    active instanceof HTMLInputElement
      ? !NOT_TEXT.has(active.type)
      : active instanceof HTMLTextAreaElement || active.isContentEditable;
  if (!isText) return null;
  const model = [...active.attributes].find((attribute) => /^x-model(?![\w-])/.test(attribute.name));
  return model?.value.match(/[\w$]+/)?.[0] === name ? active : null;
}

/** Whether a property is being edited; `known` is the server's value, `mine` the page's. */
export function holds(root: HTMLElement, name: string, known: unknown, mine: unknown): boolean {
  const field = fieldOf(root, name);
  if (!field) return false;
  const unsaved =
    JSON.stringify(mine) !== JSON.stringify(known) ||
    // A lazy field tells Alpine later.
    (typeof known !== "object" && field.value !== undefined && field.value !== String(known));
  return unsaved || composing || (typed.in === field && Date.now() - typed.at < PAUSE);
}

/** Note the selection of a field that a property is bound to; the answer restores it. */
export function selection(root: HTMLElement, name: string): () => void {
  const field = fieldOf(root, name);
  if (!(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement))
    return () => undefined;
  const { selectionStart, selectionEnd } = field; // null for numbers and dates
  return () => {
    if (selectionStart !== null) field.setSelectionRange(selectionStart, selectionEnd);
  };
}
