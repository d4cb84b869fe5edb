// A server that publishes, and a network to it that fails in every way it can.

import { createHash } from "node:crypto";
import { Sources, openSocket } from "../src/link";
import { Slots } from "../src/slots";
import { Transports } from "../src/transports";
import { covers } from "../src/wire";
import { chances } from "./chances";
import { type FakeEnv, type FakeSocket, FakeSource, type Request } from "./fakes";
import { Line, event } from "./line";

/** What may happen, beside events that are published and streams that end. */
export interface Conditions {
  /** Grants come, are made one, and are too old. */
  grants?: boolean;
  /** Groups are asked for by name, and no longer. */
  names?: boolean;
  /** The page goes out of sight, and its connection is stopped and started. */
  pauses?: boolean;
  /** All tabs share a few connections, and other tabs take them. */
  cramped?: boolean;
  /** SSE doesn't get through, in one way or another. */
  blocked?: boolean;
  /** A GRIP proxy holds what is open by SSE, and keeps the order of each group alone. */
  held?: boolean;
}

type Stream = FakeSource | FakeSocket;

/** `held` is what a proxy collects that lets the first chunk through. */
const FATES = ["good", "good", "refused", "swallowed", "cut", "held"] as const;

/** Up to which seq a stream has the events of its groups. */
type Places = Map<string, number>;

type Fate = (typeof FATES)[number];
type State = "running" | "asleep" | "stopped";

/** What a page may be after what it was. */
const NEXT: Record<State, State[]> = {
  running: ["asleep", "stopped"],
  asleep: ["running", "stopped"],
  stopped: ["running"],
};

const NAMES = ["sport", "weather"];
const STEPS = 40;
const PAUSES = [300, 300, 1_500, 1_500, 1_500, 6_000, 15_000];
/** How long those that are cut live at most, which is never for long enough. */
const LIVES = [1_500, 9_000];
const EXPIRES = 300;
const OTHER_TABS = 4;
/** How long a GRIP proxy may take for an event. */
const HOLDING = 4_000;
/** Two ways beside two others. */
const MOST = 4;
/** By then SSE is tried again wherever it has failed. */
const QUIET = 700_000;

/** What stands for a group where there is one position for each. */
const tag = (group: string): string =>
  createHash("sha256").update(group).digest("hex").slice(0, 8);

/** Slots that tell how many connections are held. */
class CountedSlots extends Slots {
  held = 0;

  override hold(): void {
    this.held++;
    super.hold();
  }

  override drop(): void {
    this.held--;
    super.drop();
  }
}

/** A server and a page's connection to it. What happens is the same for a seed. */
export class Network {
  readonly line: Line;
  readonly slots: CountedSlots;
  readonly log: string[] = [];
  /** What was wrong on the way. */
  readonly faults: string[] = [];
  /** The events that the page has to be told of. */
  readonly due = new Set<string>();
  /** The groups that are asked for by name. */
  readonly names = new Set<string>();
  #env: FakeEnv;
  #chance: () => number;
  #events: { seq: number; group: string }[] = [];
  #seq = 5;
  /** What each grant is for. */
  #grants = new Map([["one", ["news"]]]);
  /** How each kind of stream fares. */
  #fates: { stream: Fate; ws: Fate } = { stream: "good", ws: "good" };
  /** The groups of each stream that delivers, and how far it has got. */
  #served = new Map<Stream, Places>();
  /** When a GRIP proxy will be done with what it has, by stream and group. */
  #done = new Map<string, number>();
  #brought = 0;
  #others: Slots[] = [];
  #state: State = "running";
  #isCalm = false;

  constructor(
    seed: number,
    private readonly conditions: Conditions,
  ) {
    this.#chance = chances(seed);
    let slots: CountedSlots | undefined;
    this.line = new Line((env) => {
      slots = new CountedSlots(env, "tab");
      const sources = new Sources(env, "/sse/stream");
      return new Transports(env, sources.open, openSocket(env, "/sse/ws"), slots);
    });
    this.slots = slots as CountedSlots;
    this.#env = this.line.env;
    this.#env.random = this.#chance;
    this.#env.isCramped = !!conditions.cramped;
    if (conditions.blocked) this.#fates.stream = "refused";
    this.#connect();
  }

  /** The streams that are open. */
  get open(): Stream[] {
    return [...this.#env.open, ...this.#env.openSockets];
  }

  /** Have some things happen, and wait until all is quiet. */
  async run(): Promise<void> {
    this.line.connection.start();
    for (let step = 0; step < STEPS; step++) {
      this.#act();
      this.#check();
      await this.#env.pass(this.#below(this.#one(PAUSES)));
      this.#check();
      this.#bring();
    }
    this.#calm();
    await this.#env.pass(30_000);
    // What was opened where there was no room is a WebSocket for as long as it is open.
    if (this.conditions.cramped) for (const stream of this.open) stream.cut();
    for (const wait of [30_000, QUIET, 30_000]) {
      this.#bring();
      await this.#env.pass(wait);
      this.#publish("news");
    }
    await this.#env.pass(HOLDING);
  }

  /** Have what is asked for reach the server. */
  #connect(): void {
    const env = this.#env;
    const [source, socket, fetch] = [env.source, env.socket, env.fetch];
    env.source = (url) => this.#accept(source.call(env, url));
    env.socket = (url) => this.#accept(socket.call(env, url));
    env.fetch = (...given) => {
      const response = fetch.apply(env, given);
      const request = env.requests.at(-1) as Request;
      this.#later(500, () => this.#answer(request));
      return response;
    };
  }

  #below(most: number): number {
    return Math.floor(this.#chance() * most);
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #later(most: number, run: () => void): void {
    this.#env.after(this.#below(most), run);
  }

  #note(...words: unknown[]): void {
    this.log.push(`${Math.round(this.#env.now())} ${words.join(" ")}`);
  }

  #check(): void {
    const { held } = this.slots;
    const sources = this.#env.open.length;
    if (held !== sources) this.#fault(`${held} held for ${sources}`);
    if (this.#state !== "running") {
      const channels = this.#env.tabs.channels.size - this.#others.length;
      if (this.open.length + channels) this.#fault(`open while ${this.#state}`);
    }
    if (this.open.length > MOST) this.#fault(`${this.open.length} are open`);
  }

  #fault(what: string): void {
    this.#note("FAULT", what);
    this.faults.push(what);
  }

  #act(): void {
    const { grants, names, pauses, cramped } = this.conditions;
    const acts = [
      () => this.#publish("news"),
      () => this.#publish(this.#one([...this.#granted, ...this.names])),
      () => this.#change(),
      () => this.#change(),
      () => this.#each("cut", (stream) => stream.cut()),
      () => this.#each("cut", (stream) => stream.cut()),
      () => this.#each("close", (stream) => this.#close(stream)),
      () => this.#browser(),
      ...(grants ? [() => this.#grant(), () => this.#renewal()] : []),
      ...(names ? [() => this.#name(this.#one(NAMES))] : []),
      ...(pauses ? [() => this.#pause()] : []),
      ...(cramped ? [() => this.#crowd()] : []),
    ];
    this.#one(acts)();
  }

  /** From now on nothing fails that isn't blocked. */
  #calm(): void {
    this.#note("calm");
    this.#isCalm = true;
    this.#fates.ws = "good";
    if (!this.conditions.blocked) this.#fates.stream = "good";
    for (const other of this.#others) other.drop();
    if (this.#state === "asleep") this.line.connection.wake();
    if (this.#state === "stopped") this.line.connection.start();
    this.#state = "running";
  }

  /** What the components are to hear. */
  get #granted(): string[] {
    return [...new Set([...this.#grants.values()].flat())];
  }

  #publish(group: string): void {
    const seq = ++this.#seq;
    this.#note("publish", seq, group);
    this.#events.push({ seq, group });
    this.due.add(`e:${seq}`);
    for (const [stream, places] of this.#served)
      if (!stream.closed && places.has(group)) this.#deliver(stream, places, seq, group);
  }

  #deliver(stream: Stream, places: Places, seq: number, group: string): void {
    if (!this.#isHeld(stream)) {
      this.#send(stream, places, seq, group);
      return;
    }
    const key = `${this.open.indexOf(stream)} ${stream.url} ${group}`;
    const now = this.#env.now();
    const done = Math.max(this.#done.get(key) ?? 0, now + this.#below(HOLDING));
    this.#done.set(key, done);
    this.#env.after(done - now, () => {
      if (!stream.closed) this.#send(stream, places, seq, group);
    });
  }

  #send(stream: Stream, places: Places, seq: number, group: string): void {
    places.set(group, seq);
    if (this.#isHeld(stream)) stream.send(event(seq, group), this.#vector(places));
    else stream.send(event(seq, group));
  }

  #isHeld(stream: Stream): stream is FakeSource {
    return !!this.conditions.held && stream instanceof FakeSource;
  }

  #vector(places: Places): string {
    return [...places].map(([group, seq]) => `${tag(group)}:e-${seq}`).join();
  }

  /** How far a cursor says that its client has got; at the oldest where it says nothing. */
  #places(cursor: string | null, groups: string[]): Places {
    const parts = (cursor ?? `e:${this.#seq}`).split(",").map((part) => part.split(/[:-]/));
    const known = new Map(parts.map(([tag, , seq]) => [tag, Number(seq)]));
    const oldest = Math.min(...parts.map((part) => Number(part.at(-1))));
    return new Map(groups.map((group) => [group, known.get(tag(group)) ?? oldest]));
  }

  #change(): void {
    const kind = this.#one(["stream", "ws"] as const);
    const fate = this.#one(FATES);
    const isBlocked = this.conditions.blocked && kind === "stream" && fate === "good";
    if (!isBlocked) this.#fates[kind] = fate;
    this.#note(kind, "is", this.#fates[kind]);
  }

  /** What happens to one stream often happens to all. */
  #each(what: string, act: (stream: Stream) => void): void {
    const most = this.#one([0.5, 1]);
    for (const stream of this.open) {
      if (stream.closed || this.#chance() > most) continue;
      this.#note(what, stream.url.pathname);
      act(stream);
    }
  }

  #close(stream: Stream): void {
    if (this.#served.has(stream))
      stream.send({ type: "stream-close", reason: "shutdown", retry: 500 + this.#below(5_000) });
  }

  #expire(stream: Stream): void {
    if (this.#served.has(stream))
      stream.send({ type: "stream-error", id: "error", condition: "grant_expired", groups: [] });
  }

  #browser(): void {
    const what = this.#one(["lost", "wake"] as const);
    if (this.#state !== "running") return;
    this.#note(what);
    this.line.connection[what]();
  }

  /** Have an answer with a grant be on its way while the groups go on. */
  #grant(): void {
    const position = `e:${this.#seq}`;
    const group = `chat.${this.#seq}`;
    for (const each of [group, "news"]) if (this.#chance() < 0.5) this.#publish(each);
    this.#later(1_000, () => {
      this.#note("grant", group, position);
      this.line.connection.addGrant(this.#made([group]), position);
    });
  }

  #made(groups: string[]): string {
    const grant = `grant${this.#grants.size}`;
    this.#grants.set(grant, groups);
    return grant;
  }

  #renewal(): void {
    if (this.#chance() < 0.5) {
      const { groups } = this.line.connection;
      this.#note("narrow", groups);
      if (groups) this.line.connection.narrow(groups);
    } else {
      this.#each("expire", (stream) => this.#expire(stream));
    }
  }

  /** Have new HTML bring a grant, where it is waited for. */
  #bring(): void {
    const { asked, connection } = this.line;
    const all = this.#granted;
    const lacking = all.filter((group) => !(connection.groups ?? all).includes(group));
    if (asked === this.#brought && !lacking.length) return;
    this.#brought = asked;
    this.#note("bring", lacking);
    connection.addGrant(this.#made(all), `e:${this.#seq}`);
    this.#forget(all); // it shows what has happened so far
  }

  #name(group: string): void {
    const { connection } = this.line;
    const isNew = !this.names.has(group);
    this.#note(isNew ? "name" : "unname", group);
    if (isNew) {
      this.names.add(group);
      connection.addName(group);
    } else {
      this.names.delete(group);
      connection.removeName(group);
      this.#forget([group]);
    }
  }

  /** What has happened in some groups doesn't have to be told any more. */
  #forget(groups: string[]): void {
    for (const { seq, group } of this.#events)
      if (groups.includes(group)) this.due.delete(`e:${seq}`);
  }

  #pause(): void {
    const { connection } = this.line;
    const was = this.#state;
    this.#state = this.#one(NEXT[was]);
    this.#note(this.#state);
    if (this.#state === "asleep") connection.sleep();
    else if (this.#state === "stopped") connection.stop();
    else if (was === "asleep") connection.wake();
    else connection.start();
  }

  #crowd(): void {
    const isCrowded = this.#others.length > 0;
    this.#note(isCrowded ? "room" : "no room");
    for (const other of this.#others.splice(0)) other.drop();
    if (isCrowded) return;
    this.#others = Array.from({ length: OTHER_TABS }, (_, n) => new Slots(this.#env, `other ${n}`));
    for (const other of this.#others) other.hold();
  }

  #answer(request: Request): void {
    const { grants, groups } = request.body as { grants: string[]; groups?: string[] };
    const dice = this.#isCalm ? 0 : this.#chance();
    this.#note("answer", grants, "for", groups ?? "all", dice.toFixed(1));
    const all = [...new Set(grants.flatMap((grant) => this.#grants.get(grant) ?? []))];
    const kept = groups ? all.filter((name) => groups.some((group) => covers(group, name))) : all;
    if (dice < 0.6) request.answer({ grant: this.#made(kept), expires: EXPIRES });
    else if (dice < 0.75) request.fail();
    else if (dice < 0.9) request.answer({}, 503);
    else request.answer({ code: "forbidden" }, 403);
  }

  #accept<T extends Stream>(stream: T): T {
    const kind = stream.url.pathname === "/sse/ws" ? "ws" : "stream";
    this.#note("open", kind, stream.cursor, stream.grants, stream.names, this.#fates[kind]);
    if (stream.cursor === null) this.#fault("opened from nowhere");
    this.#later(this.#isCalm ? 50 : 800, () => {
      const fate = this.#fates[kind];
      if (fate === "refused") stream.cut();
      else if (fate !== "swallowed" && !stream.closed) this.#serve(stream, fate === "held");
      if (fate === "cut") this.#later(this.#one(LIVES), () => stream.cut());
    });
    return stream;
  }

  #serve(stream: Stream, isHeld: boolean): void {
    const granted = stream.grants.flatMap((grant) => this.#grants.get(grant) ?? []);
    const groups = [...granted, ...stream.names];
    const places = this.#places(stream.cursor, groups);
    const id = this.#isHeld(stream) ? this.#vector(places) : (stream.cursor ?? `e:${this.#seq}`);
    stream.begin({ id, groups, expires: stream.grants.length ? EXPIRES : null });
    this.#later(isHeld ? 0 : this.#one([0, 400]), () => {
      this.#catchUp(stream, places);
      if (isHeld || stream.closed) return;
      this.#served.set(stream, places);
      this.#env.after(1_000, () => this.#keepAlive(stream));
    });
  }

  #catchUp(stream: Stream, places: Places): void {
    for (const { seq, group } of this.#events)
      if (seq > (places.get(group) ?? Infinity) && !stream.closed)
        this.#send(stream, places, seq, group);
    const id = this.#isHeld(stream) ? this.#vector(places) : `e:${this.#seq}`;
    if (!stream.closed) stream.send({ type: "keep-alive", id });
  }

  #keepAlive(stream: Stream): void {
    if (stream.closed) return;
    stream.send({ type: "keep-alive" });
    this.#env.after(15_000, () => this.#keepAlive(stream));
  }
}
