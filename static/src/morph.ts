// Turns live elements into what new HTML says, and leaves the visitor's part alone:
// focus, selection, unsaved input, scroll positions, open details, Alpine's state.

import { notes } from "./alpine";
import { arrange } from "./match";

export interface Hooks {
  /** Called before an element is patched; false leaves it and all in it as it is. */
  enter(from: Element, to: Element): boolean;
  /** Called for an element that the new HTML leaves as it is, with all in it. */
  same(from: Element): void;
}

const NONE: Hooks = { enter: () => true, same: () => undefined };

/** The HTML that a keyed element was last given: the same again needs no work. */
const last = new WeakMap<Element, string>();

/** What the server last said of `open`, which the visitor may have changed since. */
const opened = new WeakMap<Element, boolean>();

/** Morph an element into new HTML with one root. Returns the element in its place. */
export function morph(element: Element, html: string, hooks = NONE): Element {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  const to = template.content.firstElementChild;
  if (!to) return element;
  // What is around it was given with HTML that no longer describes it.
  for (let above: Element | null = element; above; above = above.parentElement) last.delete(above);
  if (element.nodeName !== to.nodeName) {
    const fresh = document.importNode(to, true);
    element.replaceWith(fresh);
    return fresh;
  }
  if (window.Alpine && !notes(element)._x_dataStack)
    notes(to)._x_dataStack = window.Alpine.closestDataStack(element);
  patch(element, to, hooks);
  return element;
}

function patch(from: Node, to: Node, hooks: Hooks): void {
  if (from instanceof Element && to instanceof Element) patchElement(from, to, hooks);
  else if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
}

function patchElement(from: Element, to: Element, hooks: Hooks): void {
  if (from.hasAttribute("data-sse-permanent")) return;
  if (from.hasAttribute("key")) {
    const html = to.outerHTML;
    if (last.get(from) === html) {
      hooks.same(from);
      return;
    }
    last.set(from, html);
  }
  if (!hooks.enter(from, to)) return;
  if (window.Alpine) {
    window.Alpine.cloneNode(from, to); // so that bound attributes and texts agree
    to.removeAttribute("data-has-alpine-state"); // Alpine's note to itself
    const [there, here] = [notes(from)._x_teleport, notes(to)._x_teleport];
    if (there && here) patch(there, here, hooks);
  }
  const restore = keepInput(from);
  keepOpen(from, to);
  patchAttributes(from, to);
  if (!(from instanceof HTMLElement && from.isContentEditable && hasFocus(from)))
    patchContent(from, to, hooks);
  restore();
}

function patchContent(from: Element, to: Element, hooks: Hooks): void {
  if (from instanceof HTMLTemplateElement) {
    if (from.innerHTML !== to.innerHTML) from.innerHTML = to.innerHTML;
  } else if (from instanceof HTMLTextAreaElement) {
    const { defaultValue } = to as HTMLTextAreaElement;
    if (from.defaultValue !== defaultValue) from.defaultValue = defaultValue;
  } else {
    for (const [child, next] of arrange(from, to)) patch(child, next, hooks);
  }
}

const hasFocus = (element: Element): boolean => element.contains(document.activeElement);

function patchAttributes(from: Element, to: Element): void {
  const [here, there] = [notes(from), notes(to)];
  // x-show and transitions own their style for as long as they run.
  if (here._x_transitioning || Boolean(here._x_isShown) !== Boolean(there._x_isShown)) return;
  for (const { name } of [...from.attributes]) {
    if (to.hasAttribute(name)) continue;
    if (name === "open" && from instanceof HTMLDialogElement) from.close();
    else from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes])
    if (from.getAttribute(name) !== value) setAttribute(from, name, value);
}

function setAttribute(element: Element, name: string, value: string): void {
  try {
    element.setAttribute(name, value);
  } catch {
    // The parser allows names that setAttribute refuses, `@click` among them.
    const helper = document.createElement("div");
    helper.innerHTML = `<i ${name}>`;
    const attribute = helper.firstElementChild?.attributes[0];
    if (!attribute) return;
    attribute.ownerElement?.removeAttributeNode(attribute);
    attribute.value = value;
    element.setAttributeNode(attribute);
  }
}

/** Keep what was opened or closed by the visitor, unless the server changes its mind. */
function keepOpen(from: Element, to: Element): void {
  if (!(from instanceof HTMLDetailsElement || from instanceof HTMLDialogElement)) return;
  const before = opened.get(from) ?? false;
  const now = to.hasAttribute("open");
  opened.set(from, now);
  if (before === now) to.toggleAttribute("open", from.open);
}

const TOGGLES = {
  checked: "defaultChecked",
  selected: "defaultSelected",
} as const;

/** Three ways: input that differs from the server's stays, the rest follows the server. */
function keepInput(from: Element): () => void {
  if (notes(from)._x_model) return () => undefined; // it follows Alpine
  const restores: (() => void)[] = [];
  if (from instanceof HTMLInputElement) {
    if (from.type !== "file") restores.push(keepValue(from));
    restores.push(keepToggle(from as unknown as Toggle, "checked"));
  } else if (from instanceof HTMLTextAreaElement) {
    restores.push(keepValue(from));
  } else if (from instanceof HTMLOptionElement) {
    restores.push(keepToggle(from as unknown as Toggle, "selected"));
  }
  return () => {
    for (const restore of restores) restore();
  };
}

function keepValue(field: HTMLInputElement | HTMLTextAreaElement): () => void {
  const { value, defaultValue } = field;
  const keep = value !== defaultValue || field === document.activeElement;
  return () => {
    const wanted = keep ? value : field.defaultValue;
    if (field.value !== wanted && (keep || defaultValue !== wanted)) field.value = wanted;
  };
}

type Toggle = Record<keyof typeof TOGGLES | (typeof TOGGLES)[keyof typeof TOGGLES], boolean>;

function keepToggle(field: Toggle, name: keyof typeof TOGGLES): () => void {
  const base = TOGGLES[name];
  const was = field[name];
  const keep = was !== field[base];
  return () => {
    const wanted = keep ? was : field[base];
    if (field[name] !== wanted) field[name] = wanted;
  };
}
