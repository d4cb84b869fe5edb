import type { Component, Owner, View } from "./component";
import type { Connection } from "./connection";
import type { Cancel, Env } from "./env";
import type { Notified } from "./notified";
import { Recent } from "./recent";
import { isTold, replay, tell, text } from "./telling";
import { type EventFrame, covers } from "./wire";

const LINGER = 50;
/** What nobody shows any more is given up in no hurry: what brought it may come back. */
const GIVE_UP = 10_000;
const GIVE_UP_SPREAD = 20_000;
/** Some can't be given up: they are automatic. */
const GIVE_UP_TRIES = 3;
const FOR_ALL = new Set(["broadcast", "users"]);

type Route = (page: Page, frame: EventFrame) => void;

const presence: Route = (page, frame) => page.notify(frame, frame.type, frame.payload);

const routes: Record<string, Route> = {
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

/** The components of a page: counted, found by group, told of events. */
export class Page implements Owner {
  #components = new Set<Component>();
  #connection: Connection | null = null;
  /** Groups that any component ever had: the others that arrive are automatic. */
  #rendered = new Set<string>();
  /** Groups that an answer's grant was for, and that the stream may not have yet. */
  #granted = new Set<string>();
  /** Groups that no component has any more, and how often the stream was to be without. */
  #givenUp = new Map<string, number>();
  #givingUp: Cancel | null = null;
  /** Whether the page's own grant may be enough: no stream has said otherwise. */
  #isTrusting = true;
  /** Added a moment ago. */
  #fresh = new Set<Component>();
  #recent: Recent;

  constructor(
    private readonly env: Env,
    private readonly target: EventTarget,
    private readonly notified: Notified,
  ) {
    this.#recent = new Recent(env);
  }

  /** Without one, as where the server has no streams, calls still work. */
  connect(connection: Connection): void {
    this.#connection = connection;
    if (this.#components.size) connection.start();
  }

  add(component: Component): void {
    this.#components.add(component);
    const { covers: patterns, groups } = component.view;
    for (const name of [...patterns, ...groups]) {
      this.#rendered.add(name);
      this.#givenUp.delete(name);
    }
    this.#catchUp(component);
    this.#connection?.start();
    // Together with those inside it, which come after it.
    if (!this.#fresh.size) this.env.after(0, () => this.#coverFresh());
    this.#fresh.add(component);
  }

  gone(component: Component): void {
    this.#fresh.delete(component);
    if (!this.#components.delete(component)) return;
    this.#giveUpLater();
    if (this.#components.size) return;
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
    if (!isTold(frame)) return;
    this.#recent.add(frame);
    for (const component of [...this.#components]) tell(component, frame);
  }

  /** A component's fetch has ended: what it didn't bring fetches itself. */
  fetched(component: Component): void {
    const left = [...this.#components].filter((inner) => inner.awaited === component);
    for (const inner of left) inner.awaited = null;
    this.#fetch(left.filter(({ view }) => !view.isGone));
  }

  /** Events may have been missed. Who covers a pattern fetches all that is under it. */
  reset(groups: string[], spread: number): void {
    const concerned = [...this.#components].filter(
      ({ view }) =>
        view.groups.some((own) => groups.some((name) => meet(own, name))) ||
        view.covers.some((own) => groups.includes(own)),
    );
    for (const component of concerned) component.reset();
    this.#fetch(concerned, spread);
  }

  /** The stream is open: find out which components it doesn't serve. */
  opened(groups: string[]): void {
    this.#isTrusting = false;
    for (const name of this.#granted) if (carries(groups, name)) this.#granted.delete(name);
    const all = [...this.#components];
    for (const component of all) component.hurry();
    this.#cover(all);
    this.#giveUpLater();
  }

  /** The grants can't be renewed: the answers bring new ones. */
  expired(): void {
    this.#isTrusting = false;
    this.#granted.clear();
    for (const component of this.#components) component.asked = false;
    this.#fetch([...this.#components]);
  }

  notify(frame: EventFrame, name: string, data: unknown): void {
    if (!this.notified.add(frame.id)) return;
    const detail = { data, group: frame.group, id: frame.id };
    this.target.dispatchEvent(new CustomEvent(name, { detail }));
    const told = this.#isForAll(frame.group) ? [...this.#components] : this.#subscribed(frame.group);
    for (const component of told) component.notify(frame, name, detail);
  }

  /** Tell a component what was heard while its HTML was on its way. */
  #catchUp(component: Component): void {
    for (const frame of this.#recent.since(component.broughtBy)) replay(component, frame);
  }

  #subscribed(group: string): Component[] {
    return [...this.#components].filter((component) => component.subscribes(group));
  }

  #isForAll(group: string): boolean {
    if (FOR_ALL.has(group) || group.startsWith("session.")) return true;
    return !carries(this.#rendered, group);
  }

  #lacks(group: string): boolean {
    if (FOR_ALL.has(group) || carries(this.#granted, group)) return false;
    const groups = this.#connection?.groups;
    return groups ? !carries(groups, group) : !this.#isTrusting;
  }

  #coverFresh(): void {
    const fresh = [...this.#fresh];
    this.#fresh.clear();
    this.#cover(fresh);
  }

  /** Have components fetch, once, what the page's grants don't allow them to hear. */
  #cover(components: Component[]): void {
    if (!this.#connection?.groups) return;
    const asking: Component[] = [];
    for (const component of components) {
      const { covers: patterns, groups } = component.view;
      const lacks = [...patterns, ...groups].some((group) => this.#lacks(group));
      if (lacks && !component.asked) asking.push(component);
      component.asked = lacks;
    }
    this.#fetch(asking);
  }

  #giveUpLater(): void {
    const wait = GIVE_UP + this.env.random() * GIVE_UP_SPREAD;
    this.#givingUp ??= this.env.after(wait, () => this.#giveUp());
  }

  /** Have the stream be without the groups that no component has any more. */
  #giveUp(): void {
    this.#givingUp = null;
    // A grant that no stream has yet would lose what it is for.
    if (this.#granted.size) return this.#giveUpLater();
    const groups = this.#connection?.groups ?? [];
    const names = [...this.#components].flatMap(({ view }) => [...view.covers, ...view.groups]);
    const unwanted = groups.filter(
      (name) => this.#rendered.has(name) && !names.some((own) => covers(name, own)),
    );
    const tries = (name: string) => this.#givenUp.get(name) ?? 0;
    if (unwanted.every((name) => tries(name) >= GIVE_UP_TRIES)) return;
    for (const name of unwanted) this.#givenUp.set(name, tries(name) + 1);
    this.#connection?.narrow(groups.filter((name) => !unwanted.includes(name)));
  }

  /** Have components fetch. The HTML of one brings that of those inside it. */
  #fetch(components: Component[], spread = 0): void {
    const all = new Set(components);
    for (const component of components) {
      component.awaited = outermost(component, all);
      if (!component.awaited) component.refresh(spread);
    }
  }
}

/** Whether one of the names that are subscribed to brings a group's events. */
function carries(names: Iterable<string>, group: string): boolean {
  for (const name of names) if (covers(name, group)) return true;
  return false;
}

/** Whether some group is meant by both, each of which may be a pattern. */
const meet = (one: string, other: string): boolean => covers(one, other) || covers(other, one);

/** The outermost of some components that another is inside of. */
function outermost(component: Component, all: Set<Component>): Component | null {
  let found: Component | null = null;
  for (let each = component.view.above; each; each = each.view.above)
    if (all.has(each)) found = each;
  return found;
}
