import type { Alpine } from "./alpine";
import { Component, type Props, type View } from "./component";
import { holds, selection } from "./guard";
import { morph } from "./morph";
import { isBefore } from "./wire";

const SELECTOR = "[data-sse-component]";

const components = new WeakMap<Element, Component>();

const words = (value: string | undefined): string[] => value?.split(" ").filter(Boolean) ?? [];

/** The list or object in an attribute that the server wrote. */
const read = <T>(value: string | undefined, otherwise: T): T =>
  value ? (JSON.parse(value) as T) : otherwise;

export const propsOf = (root: HTMLElement): Props => read<Props>(root.dataset.sseProps, {});

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
    return read<string[]>(this.element.dataset.sseGroups, []);
  }

  get groupsWithin(): string[] {
    const inner = [...this.element.querySelectorAll<HTMLElement>(SELECTOR)];
    return [this.element, ...inner].flatMap((root) => read<string[]>(root.dataset.sseGroups, []));
  }

  get rendered(): string[] {
    return words(this.element.dataset.sseRendered);
  }

  get listen(): Record<string, string> {
    return read<Record<string, string>>(this.element.dataset.sseListen, {});
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

  morph(html: string): void {
    morph(this.element, html, { enter: (from, to) => this.#enter(from, to) });
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
  #enter(from: Element, to: Element): boolean {
    if (from === this.element || !from.matches(SELECTOR)) return true;
    const [here, there] = [from as HTMLElement, to as HTMLElement];
    const position = there.dataset.ssePosition ?? "";
    if (isBefore(position, here.dataset.ssePosition ?? "")) return false;
    components.get(from)?.absorb(propsOf(there), position);
    return true;
  }
}

/** What `x-data="sse"` puts in scope: the public properties and the public methods. */
export function scope(
  element: HTMLElement,
  create: (view: View, props: Props) => Component,
  alpine: Alpine,
): object {
  let component: Component | null = null;
  const call =
    (method: string) =>
    (...args: unknown[]) =>
      // `@click="save"` hands the event over, which is no argument.
      component?.call(method, args.filter((argument) => !(argument instanceof Event)));
  const methods = words(element.dataset.sseMethods).map((name) => [name, call(name)]);
  return {
    ...propsOf(element),
    ...Object.fromEntries(methods),
    init() {
      component = create(new Root(alpine, element), propsOf(element));
      components.set(element, component);
    },
    destroy() {
      component?.leave();
    },
  };
}
