import type { Component, Owner, View } from "./component";
import type { Connection } from "./connection";
import type { Env } from "./env";
import type { Notified } from "./notified";
import { type EventFrame, covers } from "./wire";

const LINGER = 50;
const FOR_ALL = new Set(["broadcast", "users"]);

type Route = (page: Page, frame: EventFrame) => void;

const presence: Route = (page, frame) => page.notify(frame, frame.type, frame.payload);

const routes: Record<string, Route> = {
  "component.data_changed": (page, frame) => {
    for (const component of page.subscribed(frame.group)) component.push(frame);
  },
  "component.created": (page, frame) => {
    const target = text(frame.payload.target_group) ?? frame.group;
    for (const component of page.subscribed(target))
      if (component.lacks(frame)) component.refresh(frame.spread);
  },
  "component.removed": (page, frame) => {
    // Also those whose own call caused it: nobody else would take them off the page.
    for (const component of page.removedBy(frame))
      if (component.isOlderThan(frame)) component.remove();
  },
  notify: (page, frame) => {
    const name = text(frame.payload.event_name);
    if (name !== null) page.notify(frame, name, frame.payload.data);
  },
  "presence.join": presence,
  "presence.leave": presence,
  "presence.online": presence,
  "presence.offline": presence,
  "presence.count": presence,
};

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** The components of a page: counted, found by group, told of events. */
export class Page implements Owner {
  #components = new Set<Component>();
  #connection: Connection | null = null;
  /** Groups that any component ever had: the others that arrive are automatic. */
  #rendered = new Set<string>();
  /** Groups that an answer's grant was for, and that the stream may not have yet. */
  #granted = new Set<string>();
  #opened = false;

  constructor(
    private readonly env: Env,
    private readonly target: EventTarget,
    private readonly notified: Notified,
  ) {}

  /** Without one, as where the server has no streams, calls still work. */
  connect(connection: Connection): void {
    this.#connection = connection;
    if (this.#components.size) connection.start();
  }

  add(component: Component): void {
    this.#components.add(component);
    for (const group of component.view.groups) this.#rendered.add(group);
    this.#connection?.start();
    this.#cover(component);
  }

  gone(component: Component): void {
    if (!this.#components.delete(component) || this.#components.size) return;
    // A morph may be putting another one in its place.
    this.env.after(LINGER, () => {
      if (!this.#components.size) this.#connection?.stop();
    });
  }

  granted(view: View, grant: string, position: string): void {
    const lacking = view.groupsWithin.filter((group) => this.#lacks(group));
    if (!lacking.length) return;
    for (const group of lacking) this.#granted.add(group);
    this.#connection?.addGrant(grant, position);
  }

  event(frame: EventFrame): void {
    if (Object.hasOwn(routes, frame.type)) routes[frame.type]?.(this, frame);
  }

  reset(groups: string[], spread: number): void {
    for (const component of [...this.#components])
      if (component.view.groups.some((own) => groups.some((name) => covers(own, name))))
        component.refresh(spread);
  }

  /** The stream is open: find out which components it doesn't serve. */
  opened(groups: string[]): void {
    this.#opened = true;
    for (const group of groups) this.#granted.delete(group);
    for (const component of [...this.#components]) {
      component.hurry();
      this.#cover(component);
    }
  }

  /** The grants can't be renewed: the answers bring new ones. */
  expired(): void {
    this.#granted.clear();
    for (const component of [...this.#components]) {
      component.asked = false;
      component.refresh();
    }
  }

  subscribed(group: string): Component[] {
    return [...this.#components].filter((component) => component.subscribes(group));
  }

  removedBy({ group, payload }: EventFrame): Component[] {
    const id = text(payload.component_id);
    const key = text(payload.key);
    if (id !== null) return [...this.#components].filter(({ view }) => view.id === id);
    if (key !== null) return this.subscribed(group).filter(({ view }) => view.key === key);
    return this.subscribed(text(payload.target_group) ?? group);
  }

  notify(frame: EventFrame, name: string, data: unknown): void {
    if (!this.notified.add(frame.id)) return;
    const detail = { data, group: frame.group, id: frame.id };
    this.target.dispatchEvent(new CustomEvent(name, { detail }));
    const told = this.#isForAll(frame.group) ? [...this.#components] : this.subscribed(frame.group);
    for (const component of told) component.notify(frame, name, detail);
  }

  #isForAll(group: string): boolean {
    if (FOR_ALL.has(group) || group.startsWith("session.")) return true;
    return ![...this.#rendered].some((name) => covers(name, group));
  }

  #lacks(group: string): boolean {
    if (FOR_ALL.has(group) || this.#granted.has(group)) return false;
    const groups = this.#connection?.groups;
    // Before the first stream is open, the page's own grant is taken to be enough.
    return groups ? !groups.includes(group) : this.#opened;
  }

  /** Have a component fetch, once, what the page's grants don't allow it to hear. */
  #cover(component: Component): void {
    if (!this.#connection?.groups) return;
    const lacks = component.view.groups.some((group) => this.#lacks(group));
    if (lacks && !component.asked) component.refresh();
    component.asked = lacks;
  }
}
