import { type Action, type Answer, type Call, CallFailed, type SendCall } from "./calls";
import type { Env } from "./env";
import { isOwn, nextComponent, nextRequest } from "./identity";
import { Refresher } from "./refresher";
import { type EventFrame, covers, isAfter, isBefore } from "./wire";

export type Props = Record<string, unknown>;

/** A component's place in the page. */
export interface View {
  readonly component: string;
  readonly id: string;
  readonly key: string;
  readonly state: string;
  readonly position: string;
  readonly groups: string[];
  /** Its own and those of the components inside it. */
  readonly groupsWithin: string[];
  /** Public properties that the server read to make the HTML. */
  readonly rendered: string[];
  /** The public methods that notifications call, by event name. */
  readonly listen: Record<string, string>;
  readonly isGone: boolean;
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  /** Whether the visitor is editing a property whose last value from the server is known. */
  holds(name: string, known: unknown): boolean;
  morph(html: string): void;
  fire(name: string, detail: unknown, bubbles: boolean): void;
  redirect(url: string): void;
  remove(): void;
}

export interface Owner {
  /** New HTML is in the page, with a grant for the groups in it. */
  granted(view: View, grant: string, position: string): void;
  gone(component: Component): void;
}

export interface Notification {
  data: unknown;
  group: string;
  id: string;
}

const REFRESH = "_refresh";

const copy = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));
const equal = (one: unknown, other: unknown): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** One component: its properties, its HTML, its calls. */
export class Component {
  readonly no = nextComponent();
  /** Whether it was refreshed because the stream lacks its groups. */
  asked = false;
  /** What the server last said of each property. */
  #known: Props;
  /** Pushed since the last refresh, to be laid over what `load()` sets. */
  #pushed = new Map<string, unknown>();
  /** Shown from a push: the position of the HTML says nothing about these. */
  #overlaid = new Set<string>();
  #refresher: Refresher;
  #complained = false;
  /** The position at which its page or its parent had it; a refresh doesn't move it. */
  #placed: string;

  constructor(
    private readonly env: Env,
    private readonly send: SendCall,
    private readonly owner: Owner,
    readonly view: View,
    props: Props,
  ) {
    this.#known = props;
    this.#placed = view.position;
    this.#refresher = new Refresher(env, () => this.#refreshNow());
  }

  subscribes(group: string): boolean {
    return this.view.groups.some((name) => covers(name, group));
  }

  /** Whether an event is news for its HTML: no echo, and newer than what it shows. */
  lacks(frame: EventFrame): boolean {
    return !isOwn(frame.sender, this.no) && isAfter(frame.id, this.view.position);
  }

  /** Whether an event came after it had been put on the page. */
  isOlderThan(frame: EventFrame): boolean {
    return isAfter(frame.id, this.#placed);
  }

  /** Take pushed properties; those it doesn't know are ignored. */
  push(frame: EventFrame): void {
    if (isOwn(frame.sender, this.no)) return;
    const data = (frame.payload.data ?? {}) as Props;
    const names = Object.keys(data).filter((name) => Object.hasOwn(this.#known, name));
    const newer = isAfter(frame.id, this.view.position);
    if (!newer && !names.some((name) => this.#overlaid.has(name))) return;
    const rendered = this.view.rendered;
    for (const name of names) {
      if (!this.view.holds(name, this.#known[name])) this.view.set(name, copy(data[name]));
      this.#known[name] = data[name];
      this.#pushed.set(name, data[name]);
    }
    const fetches =
      frame.payload.update === true ||
      Object.keys(data).length === 0 ||
      names.some((name) => rendered.includes(name));
    if (fetches) this.refresh(frame.spread);
  }

  refresh(spread = 0): void {
    this.#refresher.request(spread);
  }

  /** Repeat a refresh that failed, now that the server can be reached. */
  hurry(): void {
    this.#refresher.hurry();
  }

  notify(frame: EventFrame, name: string, detail: Notification): void {
    if (isOwn(frame.sender, this.no) || !this.isOlderThan(frame)) return;
    this.view.fire(name, detail, false);
    const { listen } = this.view;
    if (!Object.hasOwn(listen, name)) return;
    const call = () => this.call(listen[name] as string, [detail]).catch(() => undefined);
    if (frame.spread) this.env.after(this.env.random() * frame.spread, call);
    else void call();
  }

  /** Call a public method; resolves to what it returned, rejects with `CallFailed`. */
  async call(method: string, args: unknown[]): Promise<unknown> {
    try {
      return await this.#exchange(method, args, new Map());
    } catch (error) {
      this.#fail(method, error);
      throw error;
    }
  }

  /** Take what its parent's new HTML says of it. */
  absorb(props: Props, position: string): void {
    this.#merge(props, this.#known);
    this.#known = props;
    this.#placed = position;
  }

  remove(): void {
    this.view.remove();
    this.leave();
  }

  /** It is off the page. */
  leave(): void {
    this.#refresher.stop();
    this.owner.gone(this);
  }

  async #refreshNow(): Promise<boolean> {
    const pushed = this.#pushed;
    this.#pushed = new Map();
    try {
      await this.#exchange(REFRESH, [], pushed);
      this.#complained = false;
      return true;
    } catch (error) {
      const passes = error instanceof CallFailed && error.passes;
      if (passes) this.#pushed = new Map([...pushed, ...this.#pushed]);
      if (!passes || !this.#complained) this.#fail(REFRESH, error);
      this.#complained = passes;
      return !passes;
    }
  }

  async #exchange(method: string, args: unknown[], pushed: Map<string, unknown>): Promise<unknown> {
    const sent: Props = {};
    for (const name of Object.keys(this.#known)) sent[name] = copy(this.view.get(name));
    for (const [name, value] of pushed) sent[name] = value;
    const call: Call = { state: this.view.state, props: sent, pushed: [...pushed.keys()], args };
    const answer = await this.send(this.view.component, method, nextRequest(this.no), call);
    if (!this.view.isGone) {
      if (method === REFRESH) this.#overlaid = new Set(pushed.keys());
      this.#apply(answer, sent);
    }
    return answer.result;
  }

  #apply(answer: Answer, sent: Props): void {
    // Answers may overtake each other; the one that read the newest data stays.
    if (!isBefore(answer.position, this.view.position)) {
      this.#merge(answer.props, sent);
      for (const name of Object.keys(this.#known))
        if (Object.hasOwn(answer.props, name) && !this.#pushed.has(name))
          this.#known[name] = answer.props[name];
      if (answer.html !== null) this.view.morph(answer.html);
      if (answer.grant !== null) this.owner.granted(this.view, answer.grant, answer.position);
    }
    for (const action of answer.client) this.#act(action);
  }

  /** Three ways: what only the visitor changed stays, what the server changed comes. */
  #merge(theirs: Props, base: Props): void {
    for (const name of Object.keys(this.#known)) {
      if (!Object.hasOwn(theirs, name) || this.#pushed.has(name)) continue;
      if (equal(theirs[name], base[name])) continue;
      if (!this.view.holds(name, this.#known[name])) this.view.set(name, copy(theirs[name]));
    }
  }

  #act(action: Action): void {
    switch (action[0]) {
      case "dispatch":
        this.view.fire(action[1], action[2], true);
        break;
      case "remove":
        this.remove();
        break;
      case "redirect":
        this.view.redirect(action[1]);
        break;
      case "update":
        for (const [name, value] of Object.entries(action[1]))
          if (Object.hasOwn(this.#known, name)) {
            this.#known[name] = value;
            this.view.set(name, copy(value));
          }
        break;
    }
  }

  #fail(method: string, error: unknown): void {
    if (this.view.isGone) return;
    const status = error instanceof CallFailed ? error.status : 0;
    if (status === 410) {
      this.view.fire("sse:stale", { method }, true);
      this.remove();
    } else if (status === 409) {
      this.refresh();
    } else {
      const known = error instanceof CallFailed;
      const { code, detail } = known ? error : { code: "error", detail: String(error) };
      this.view.fire("sse:call-failed", { method, status, code, detail }, true);
    }
  }
}
