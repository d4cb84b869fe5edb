// A page with components that have no elements.

import { sender } from "../src/calls";
import { Component, type View } from "../src/component";
import type { Connection } from "../src/connection";
import { tab } from "../src/identity";
import { Notified } from "../src/notified";
import type { Pace } from "../src/pace";
import { Page } from "../src/page";
import { poster } from "../src/post";
import { FakeEnv, type Request } from "./fakes";

export class FakeView implements View {
  component = "news.Ticker";
  id = "news.Ticker";
  key = "";
  state = "signed";
  position = "e:10";
  groups = ["news"];
  covers: string[] = [];
  groupsWithin: string[];
  rendered: string[] = [];
  methods: Record<string, Pace> = {};
  listen: Record<string, string[]> = {};
  watch: Record<string, Record<string, number>> = {};
  above: Component | null = null;
  isGone = false;
  editing = "";
  html: string[] = [];
  fired: [string, unknown, boolean][] = [];
  redirects: string[] = [];
  /** What new HTML does to the components inside. */
  brings = (_request: number): void => undefined;
  /** Told of what Alpine's `$watch` tells of. */
  changed = (_name: string): void => undefined;
  #last: Record<string, unknown>;

  constructor(
    readonly data: Record<string, unknown>,
    fields: Partial<FakeView> = {},
  ) {
    this.#last = { ...data };
    Object.assign(this, fields);
    this.groupsWithin = fields.groupsWithin ?? [...this.covers, ...this.groups];
  }

  get(name: string): unknown {
    return this.data[name];
  }

  /** As Alpine does, tell of it later, and if it is no object only if it is another. */
  set(name: string, value: unknown): void {
    this.data[name] = value;
    queueMicrotask(() => {
      const now = this.data[name];
      if (typeof now !== "object" && now === this.#last[name]) return;
      this.#last[name] = now;
      queueMicrotask(() => this.changed(name));
    });
  }

  holds(name: string): boolean {
    return name === this.editing;
  }

  morph(html: string, request: number): void {
    this.html.push(html);
    this.brings(request);
  }

  keep(state: string): void {
    this.state = state;
  }

  fire(name: string, detail: unknown, bubbles: boolean): void {
    this.fired.push([name, detail, bubbles]);
  }

  redirect(url: string): void {
    this.redirects.push(url);
  }

  remove(): void {
    this.isGone = true;
  }
}

/** A connection that writes down what it is told. */
export class FakeConnection {
  groups: string[] | null = null;
  told: unknown[] = [];

  start(): void {
    this.told.push("start");
  }

  stop(): void {
    this.told.push("stop");
  }

  addGrant(grant: string, position: string): void {
    this.told.push([grant, position]);
  }

  /** The groups that it was narrowed to. */
  narrowed: unknown[] = [];

  narrow(groups: string[]): void {
    this.narrowed.push(groups);
  }
}

export class Stage {
  env = new FakeEnv();
  document = new EventTarget();
  stored = new Map<string, string>();
  connection = new FakeConnection();
  page = this.reload();

  /** Another page in the same tab. */
  reload(): Page {
    const storage = {
      getItem: (name: string) => this.stored.get(name) ?? null,
      setItem: (name: string, value: string) => void this.stored.set(name, value),
    };
    this.page = new Page(this.env, this.document, new Notified(() => storage as Storage));
    this.page.connect(this.connection as unknown as Connection);
    return this.page;
  }

  add(data: Record<string, unknown>, fields: Partial<FakeView> = {}): [Component, FakeView] {
    const view = new FakeView({ ...data }, fields);
    const send = sender(poster(this.env, "csrf"), "/sse/components/", () => "/todo?tab=2");
    const component = new Component(this.env, send, this.page, view, { ...data });
    view.changed = (name) => component.changed(name);
    this.page.add(component);
    return [component, view];
  }

  changed(seq: number, data: Record<string, unknown>, more: Record<string, unknown> = {}): void {
    const { update = false, ...rest } = more;
    this.event("component.data_changed", seq, { data, update }, rest);
  }

  event(
    type: string,
    seq: number,
    payload: Record<string, unknown>,
    more: Record<string, unknown> = {},
  ): void {
    this.page.event({ type, id: `e:${seq}`, group: "news", payload, sender: null, ts: "", ...more });
  }

  get requests(): Request[] {
    return this.env.requests;
  }

  get last(): Request {
    return this.requests.at(-1) as Request;
  }
}

export const answer = (fields: Record<string, unknown> = {}): Record<string, unknown> => ({
  html: "<p></p>",
  props: {},
  result: null,
  client: [],
  grant: null,
  position: "e:50",
  ...fields,
});

export const senderOf = (request: Request): string =>
  `${tab}.${request.headers["X-SSE-Request"]}`;
