import type { Alpine } from "./alpine";
import { Component, type Props, type View } from "./component";
import { holds, selection } from "./guard";
import { morph } from "./morph";

const SELECTOR = "[data-sse-component]";

const components = new WeakMap<Element, Component>();

const words = (value: string | undefined): string[] => value?.split(" ").filter(Boolean) ?? [];

/** The list or object in an attribute that the server wrote. */
const read = <T>(value: string | undefined, otherwise: T): T =>
  value ? (JSON.parse(value) as T) : otherwise;

const propsOf = (root: HTMLElement): Props => read<Props>(root.dataset.sseProps, {});
const groupsOf = (root: HTMLElement): string[] => read<string[]>(root.dataset.sseGroups, []);
const coversOf = (root: HTMLElement): string[] => read<string[]>(root.dataset.sseCovers, []);

/** An element, and the roots of components inside it. */
const within = (element: Element): HTMLElement[] => [
  element as HTMLElement,
  ...element.querySelectorAll<HTMLElement>(SELECTOR),
];

/** A component's root element: what it says of itself, and what can be done to it. */
export class Root implements View {
  constructor(
    private readonly alpine: Alpine,
    private readonly element: HTMLElement,
  ) {}

  get component(): string {
    return this.element.dataset.sseComponent ?? "";
  }

  get id(): string {
    return this.element.dataset.sseId ?? "";
  }

  get key(): string {
    return this.element.dataset.sseKey ?? "";
  }

  get state(): string {
    return this.element.dataset.sseState ?? "";
  }

  get position(): string {
    return this.element.dataset.ssePosition ?? "";
  }

  get groups(): string[] {
    return groupsOf(this.element);
  }

  get covers(): string[] {
    return coversOf(this.element);
  }

  get groupsWithin(): string[] {
    return within(this.element).flatMap((root) => [...coversOf(root), ...groupsOf(root)]);
  }

  get rendered(): string[] {
    return words(this.element.dataset.sseRendered);
  }

  get methods(): View["methods"] {
    return read<View["methods"]>(this.element.dataset.sseMethods, {});
  }

  get listen(): View["listen"] {
    return read<View["listen"]>(this.element.dataset.sseListen, {});
  }

  get watch(): View["watch"] {
    return read<View["watch"]>(this.element.dataset.sseWatch, {});
  }

  get above(): Component | null {
    const root = this.element.parentElement?.closest(SELECTOR);
    return (root && components.get(root)) ?? null;
  }

  get isGone(): boolean {
    return !this.element.isConnected;
  }

  get(name: string): unknown {
    return this.alpine.$data(this.element)[name];
  }

  set(name: string, value: unknown): void {
    const restore = selection(this.element, name);
    this.alpine.$data(this.element)[name] = value;
    this.alpine.nextTick(restore);
  }

  holds(name: string, known: unknown): boolean {
    return holds(this.element, name, known, this.get(name));
  }

  morph(html: string, request: number): void {
    morph(this.element, html, {
      enter: (from, to) => this.#enter(from, to, request),
      same(from) {
        for (const root of within(from)) components.get(root)?.stays();
      },
    });
  }

  keep(state: string): void {
    this.element.dataset.sseState = state;
  }

  fire(name: string, detail: unknown, bubbles: boolean): void {
    this.element.dispatchEvent(new CustomEvent(name, { detail, bubbles }));
  }

  redirect(url: string): void {
    location.assign(url);
  }

  remove(): void {
    this.element.remove();
  }

  /** A component inside may have newer HTML than its parent's answer. */
  #enter(from: Element, to: Element, request: number): boolean {
    const inner = from === this.element ? undefined : components.get(from);
    if (!inner) return true;
    const there = to as HTMLElement;
    const position = there.dataset.ssePosition ?? "";
    if (inner.isAheadOf(position, request)) return false;
    inner.absorb(propsOf(there), position, request);
    return true;
  }
}

interface Magic {
  $watch(name: string, run: () => void): void;
}

/** What `x-data="sse"` puts in scope: the public properties and the public methods. */
export function scope(
  element: HTMLElement,
  create: (view: View, props: Props) => Component,
  alpine: Alpine,
): object {
  const root = new Root(alpine, element);
  let component: Component | null = null;
  const call =
    (method: string) =>
    (...args: unknown[]) =>
      // `@click="save"` hands the event over, which is no argument.
      component?.call(method, args.filter((argument) => !(argument instanceof Event)));
  const methods = Object.keys(root.methods).map((name) => [name, call(name)]);
  return {
    ...propsOf(element),
    ...Object.fromEntries(methods),
    init(this: Magic) {
      const made = create(root, propsOf(element));
      component = made;
      components.set(element, made);
      for (const name of Object.keys(root.watch)) this.$watch(name, () => made.changed(name));
    },
    destroy() {
      component?.leave();
    },
  };
}
