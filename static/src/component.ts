import { type Action, type Answer, type Call, CallFailed, type SendCall } from "./calls";
import { Echo, type Verdict } from "./echo";
import type { Env } from "./env";
import { lastRequest, nextComponent, nextRequest, ownRequest, requestName } from "./identity";
import { Overtaking } from "./overtaking";
import { type Pace, Pacer } from "./pace";
import { Properties, type Sent } from "./properties";
import { Refresher } from "./refresher";
import { Watcher } from "./watcher";
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
  /** Patterns that the groups of the components inside it fall under. */
  readonly covers: string[];
  /** Its own and those of the components inside it, with what these cover. */
  readonly groupsWithin: string[];
  /** Public properties that the server read to make the HTML. */
  readonly rendered: string[];
  /** The public methods by name. */
  readonly methods: Record<string, Pace>;
  /** The public methods that notifications call, by event name. */
  readonly listen: Record<string, string[]>;
  /**
   * By property, the public methods that its changes call, and how many of value, old
   * value and name each of them takes.
   */
  readonly watch: Record<string, Record<string, number>>;
  /** The component that it is inside of. */
  readonly above: Component | null;
  readonly isGone: boolean;
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  /** Whether the visitor is editing a property whose last value from the server is known. */
  holds(name: string, known: unknown): boolean;
  /** Have new HTML, the answer to a request. */
  morph(html: string, request: number): void;
  /** Have another state, with the HTML that is there. */
  keep(state: string): void;
  fire(name: string, detail: unknown, bubbles: boolean): void;
  redirect(url: string): void;
  remove(): void;
}

export interface Owner {
  /** New HTML is in the page, with a grant for the groups in it. */
  granted(view: View, grant: string, position: string): void;
  /** A fetch of its HTML has ended, one way or the other. */
  fetched(component: Component): void;
  gone(component: Component): void;
}

export interface Notification {
  data: unknown;
  group: string;
  id: string;
}

const REFRESH = "_refresh";

/** One component: its properties, its HTML, its calls. */
export class Component {
  readonly no = nextComponent();
  /** Whether it was refreshed because the stream lacks its groups. */
  asked = false;
  /** The component around it whose new HTML is to bring its own. */
  awaited: Component | null = null;
  /** The request whose answer brought its HTML, by its parent's or by itself. */
  broughtBy: number;
  #watcher: Watcher;
  #properties: Properties;
  #pacers = new Map<string, Pacer>();
  #refresher: Refresher;
  #overtaking: Overtaking;
  #echo = new Echo();
  #complained = false;
  /** The position at which its page or its parent had it; a refresh doesn't move it. */
  #placed: string;
  /** The last request of the page when it got what it shows. */
  #since = 0;
  /** The request whose answer brought the state without HTML. */
  #kept = 0;

  constructor(
    private readonly env: Env,
    private readonly send: SendCall,
    private readonly owner: Owner,
    readonly view: View,
    props: Props,
  ) {
    this.#watcher = new Watcher(view, props, (method, args) => this.#launch(method, args));
    this.#properties = new Properties(view, this.#watcher, props);
    this.#placed = view.position;
    this.broughtBy = view.above?.broughtBy ?? 0;
    this.#refresher = new Refresher(env, () => this.#refreshNow());
    this.#overtaking = new Overtaking(env, (spread) => this.refresh(spread));
  }

  subscribes(group: string): boolean {
    return this.view.groups.some((name) => covers(name, group));
  }

  /** Something is there or gone: fetch, if that is newer than its HTML and no echo. */
  follow(frame: EventFrame): void {
    const verdict = this.#judge(frame);
    if (verdict !== "echo" && isAfter(frame.id, this.view.position)) this.refresh(frame.spread);
  }

  /** Whether an event came after it had been put on the page. */
  isOlderThan(frame: EventFrame): boolean {
    return isAfter(frame.id, this.#placed);
  }

  /** Take pushed properties; those it doesn't know are ignored. */
  push(frame: EventFrame): void {
    const data = (frame.payload.data ?? {}) as Props;
    const names = this.#properties.among(data);
    const newer = isAfter(frame.id, this.view.position);
    const isRow = typeof frame.payload.model === "string";
    const verdict = this.#judge(frame);
    const own = verdict !== "news";
    const close = isRow && this.#overtaking.note(frame.group, own);
    const overtakes = close && (own || names.length > 0);
    if ((overtakes || verdict === "doubtful") && newer) this.#overtaking.request(frame.spread);
    if (own || !(newer || this.#properties.shows(names))) return;
    if (isRow) this.#properties.tell(names, data, frame.id);
    else this.#properties.push(names, data);
    const rendered = this.view.rendered;
    const fetches =
      frame.payload.update === true ||
      Object.keys(data).length === 0 ||
      names.some((name) => rendered.includes(name)) ||
      (isRow && !this.#isBoundTo(frame.group, data, names));
    if (fetches) this.refresh(frame.spread);
  }

  /** Whether its properties have all that is said of a row, which is the one it shows. */
  #isBoundTo(group: string, data: Props, names: string[]): boolean {
    const known = new Set([...names, "id"]);
    return this.view.groups.includes(group) && Object.keys(data).every((name) => known.has(name));
  }

  refresh(spread = 0): void {
    this.#refresher.request(spread);
  }

  /** It may have missed anything: what it has from events isn't right any more. */
  reset(): void {
    this.#properties.reset();
  }

  /** Repeat a refresh that failed, now that the server can be reached. */
  hurry(): void {
    this.#refresher.hurry();
  }

  notify(frame: EventFrame, name: string, detail: Notification): void {
    if (ownRequest(frame.sender, this.no) !== null || !this.isOlderThan(frame)) return;
    this.view.fire(name, detail, false);
    const { listen } = this.view;
    const methods = Object.hasOwn(listen, name) ? (listen[name] ?? []) : [];
    const call = () => {
      for (const method of methods) this.#launch(method, [detail]);
    };
    if (frame.spread) this.env.after(this.env.random() * frame.spread, call);
    else call();
  }

  /** A property may have changed in the page. */
  changed(name: string): void {
    this.#watcher.changed(name);
  }

  /**
   * Call a public method, at its pace.
   *
   * Resolves to what it returned, rejects with `CallFailed`.
   */
  call(method: string, args: unknown[]): Promise<unknown> {
    let pacer = this.#pacers.get(method);
    if (!pacer) {
      const run = (last: unknown[]) => this.#callNow(method, last);
      pacer = new Pacer(this.env, this.view.methods[method] ?? {}, run);
      this.#pacers.set(method, pacer);
    }
    return pacer.call(args);
  }

  /**
   * Whether it may know more than an answer does.
   *
   * What was asked for after it had its HTML is newer. Positions tell the two apart
   * otherwise, and only then: the process that answered may know of an older one than
   * the data that it has read, since a process that hears of few groups lags behind.
   */
  isAheadOf(position: string, request: number): boolean {
    if (request > this.#since) return false;
    return isBefore(position, this.view.position) || this.#echo.isPast(position);
  }

  /** Take what its parent's new HTML says of it. */
  absorb(props: Props, position: string, request: number): void {
    this.#since = lastRequest();
    this.awaited = null;
    this.broughtBy = request;
    this.#echo.shows(request, position);
    this.#properties.absorb(props, position);
    this.#placed = position;
  }

  /** Its parent's new HTML says of it what it said before. */
  stays(): void {
    this.awaited = null;
  }

  remove(): void {
    this.view.remove();
    this.leave();
  }

  /** It is off the page. */
  leave(): void {
    this.#refresher.stop();
    for (const pacer of this.#pacers.values()) pacer.stop();
    this.owner.gone(this);
  }

  async #callNow(method: string, args: unknown[]): Promise<unknown> {
    try {
      return await this.#exchange(method, args, this.#properties.send(false));
    } catch (error) {
      this.#fail(method, error);
      throw error;
    }
  }

  /** Call where nobody waits for the outcome: a failure is told of by an event. */
  #launch(method: string, args: unknown[]): void {
    if (!this.view.isGone) this.call(method, args).catch(() => undefined);
  }

  async #refreshNow(): Promise<boolean> {
    this.#overtaking.settle();
    const sent = this.#properties.send(true);
    try {
      await this.#exchange(REFRESH, [], sent);
      this.#complained = false;
    } catch (error) {
      const passes = error instanceof CallFailed && error.passes;
      if (passes) this.#properties.restore(sent);
      if (!passes || !this.#complained) this.#fail(REFRESH, error);
      this.#complained = passes;
      if (passes) return false;
    }
    this.owner.fetched(this);
    return true;
  }

  async #exchange(method: string, args: unknown[], sent: Sent): Promise<unknown> {
    const { props, pushed } = sent;
    const call: Call = { state: this.view.state, props, pushed: [...pushed.keys()], args };
    const request = nextRequest();
    const name = requestName(this.no, request);
    this.#echo.sent(request);
    const answer = await this.send(this.view.component, method, name, call).catch((error) => {
      // Its events are no echo: where one has come, the server has run it all the same.
      if (this.#echo.failed(request) && !this.view.isGone) this.refresh();
      throw error;
    });
    if (!this.view.isGone) {
      if (method === REFRESH) this.#properties.overlaid(sent);
      this.#apply(answer, sent, request, this.#isAsked(method) ? (answer.written ?? []) : []);
    }
    return answer.result;
  }

  #judge(frame: EventFrame): Verdict {
    return this.#echo.hear(ownRequest(frame.sender, this.no), frame.id);
  }

  /** Whether the visitor calls it, and not what is typed or heard. */
  #isAsked(method: string): boolean {
    const { listen, watch } = this.view;
    const heard = Object.values(listen).some((methods) => methods.includes(method));
    return !heard && !Object.values(watch).some((methods) => Object.hasOwn(methods, method));
  }

  #apply(answer: Answer, sent: Sent, request: number, written: string[]): void {
    const position = this.#echo.answered(request, answer.position);
    if (this.isAheadOf(position, request)) {
      if (answer.html !== null) this.refresh(); // whichever of the two read more
    } else {
      this.#since = lastRequest();
      this.#echo.shows(request, position);
      this.#properties.answered(answer.props, sent, written, position);
      if (answer.html !== null) this.#show(answer.html, request);
      else if (answer.state) this.#keep(answer.state, request);
      if (answer.grant !== null) this.owner.granted(this.view, answer.grant, answer.position);
    }
    for (const action of answer.client) this.#act(action);
  }

  #keep(state: string, request: number): void {
    if (request < this.#kept) return;
    this.#kept = request;
    this.view.keep(state);
  }

  #show(html: string, request: number): void {
    this.awaited = null;
    this.broughtBy = request;
    this.view.morph(html, request);
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
        this.#properties.update(action[1]);
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
