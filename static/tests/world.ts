// A list of rows that visitors change, over a network that keeps no order but the stream's.

import type { Component } from "../src/component";
import { chances } from "./chances";
import type { Request } from "./fakes";
import { type FakeView, Stage, answer, senderOf } from "./stage";

/** What may happen, beside rows that change. */
export interface Conditions {
  /** Rows come and go, and a list brings them. */
  list?: boolean;
  /** How many of the events bring the value; the others say that there is another. */
  data: number;
  /** The page itself calls a method that changes a row. */
  calls?: boolean;
  /** Events are published in another order than that of the commits. */
  disorder?: boolean;
  /** The processes that answer know of an older position than their data has. */
  lag?: boolean;
  /** Answers get lost, after the server has done what was asked for. */
  lost?: boolean;
}

const LIST = "todo.List";
const METHOD = "rename";
const WRITING = 1500;
const DELAY = 300;
const APART = 400;
const LOSING = 3000;

/** A server and a page. What happens between them is the same for a seed. */
export class World {
  /** What the server has, by row. */
  readonly stored = new Map<number, number>();
  readonly log: string[] = [];
  #stage = new Stage();
  #chance: () => number;
  #rows = new Map<number, [Component, FakeView]>();
  #list: [Component, FakeView] | null = null;
  #seq = 10;
  #values = 0;
  #streamed = 0;

  constructor(
    seed: number,
    private readonly conditions: Conditions,
  ) {
    this.#chance = chances(seed);
    const { env } = this.#stage;
    const fetch = env.fetch.bind(env);
    env.fetch = (url, init) => {
      const response = fetch(url, init);
      const request = env.requests.at(-1) as Request;
      this.#later(DELAY, () => this.#serve(request));
      return response;
    };
    if (conditions.list) {
      const fields = { component: LIST, state: LIST, groups: ["todo"], covers: ["todo.*"] };
      this.#list = this.#stage.add({}, fields);
    }
    for (const row of conditions.list ? [1, 2] : [1]) {
      this.stored.set(row, 0);
      this.#add(row, 0, "e:10");
    }
  }

  /** What the page shows, by row. */
  get shown(): Map<number, unknown> {
    const rows = [...this.#rows].filter(([, [, view]]) => !view.isGone);
    return new Map(rows.map(([row, [, view]]) => [row, view.data.value]));
  }

  /** Have some things happen, and wait until all is quiet. */
  async run(): Promise<void> {
    const writes = 1 + this.#below(5);
    for (let n = 0; n < writes; n++) this.#later(WRITING, () => this.#write());
    await this.#stage.env.pass(15_000);
  }

  #below(most: number): number {
    return Math.floor(this.#chance() * most);
  }

  #later(most: number, run: () => void): void {
    this.#stage.env.after(this.#below(most), run);
  }

  #note(...words: unknown[]): void {
    this.log.push(`${this.#stage.env.now()} ${words.join(" ")}`);
  }

  #write(): void {
    const { calls, list } = this.conditions;
    const row = [...this.stored.keys()][this.#below(this.stored.size)];
    if (list && (row === undefined || this.#chance() < 0.25)) this.#create();
    else if (row === undefined) return;
    else if (list && this.#chance() < 0.3) this.#delete(row);
    else if (calls && this.#chance() < 0.5) this.#call(row);
    else this.#change(row, null);
  }

  #call(row: number): void {
    const [component, view] = this.#rows.get(row) ?? [];
    if (component && !view?.isGone) component.call(METHOD, []).catch(() => undefined);
  }

  #create(): void {
    const row = Math.max(2, ...this.stored.keys(), ...this.#rows.keys()) + 1;
    this.stored.set(row, ++this.#values);
    this.#note("create", row);
    this.#publish("created", "todo", { data: { pk: row } });
  }

  #delete(row: number): void {
    this.stored.delete(row);
    this.#note("delete", row);
    this.#publish("removed", "todo", { target_group: `todo.${row}` });
    this.#publish("removed", `todo.${row}`, {});
  }

  #change(row: number, sender: string | null): void {
    const value = ++this.#values;
    this.stored.set(row, value);
    this.#note("change", row, value);
    const data = this.#chance() < this.conditions.data ? { id: row, value } : {};
    const payload = { data, update: false, model: "todo" };
    const publish = () => this.#publish("data_changed", `todo.${row}`, payload, sender);
    if (this.conditions.disorder && sender === null) this.#later(APART, publish);
    else publish();
  }

  #publish(type: string, group: string, payload: object, sender: string | null = null): void {
    const { env } = this.#stage;
    const seq = ++this.#seq;
    this.#streamed = Math.max(this.#streamed, env.now() + this.#below(DELAY));
    env.after(this.#streamed - env.now(), () => {
      this.#note("hear", seq, type, group, JSON.stringify(payload), sender);
      this.#stage.event(`component.${type}`, seq, { ...payload }, { group, sender });
    });
  }

  #serve(request: Request): void {
    const { lag, lost } = this.conditions;
    const state = String(request.body.state);
    const seq = this.#seq - (lag ? this.#below(3) : 0);
    const position = `e:${Math.max(seq, 10)}`;
    const isCall = request.url.endsWith(METHOD);
    const row = Number(state);
    if (isCall && this.stored.has(row)) this.#change(row, senderOf(request));
    const stored = new Map(this.stored);
    this.#note("serve", request.url, state, position);
    this.#later(DELAY, () => {
      this.#note("answer", request.url, state, position);
      if (lost && this.#stage.env.now() < LOSING && this.#chance() < 0.2) {
        if (isCall && this.#chance() < 0.5) request.answer({}, 500);
        else request.fail();
      } else if (state === LIST) this.#answerList(request, stored, position);
      else if (stored.has(row)) this.#answerRow(request, row, stored.get(row), position);
      else request.answer({}, 410);
    });
  }

  #answerRow(request: Request, row: number, value: unknown, position: string): void {
    const view = this.#rows.get(row)?.[1] as FakeView;
    view.brings = () => {
      view.position = position;
    };
    const keeps = request.url.endsWith(METHOD) && this.#chance() < 0.3;
    request.answer(answer({ props: { value }, position, ...(keeps ? { html: null } : {}) }));
  }

  #answerList(request: Request, stored: Map<number, number>, position: string): void {
    const view = this.#list?.[1] as FakeView;
    view.brings = (number) => {
      view.position = position;
      for (const [row, [component, { isGone }]] of this.#rows)
        if (!isGone && !stored.has(row)) component.remove();
      for (const [row, value] of stored) this.#bring(row, value, position, number);
    };
    request.answer(answer({ position }));
  }

  /** Do what the list's new HTML does to a row in it. */
  #bring(row: number, value: number, position: string, request: number): void {
    const [component, view] = this.#rows.get(row) ?? [];
    if (!component || !view || view.isGone) {
      this.#add(row, value, position);
    } else if (!component.isAheadOf(position, request)) {
      view.position = position;
      component.absorb({ value }, position, request);
    }
  }

  #add(row: number, value: number, position: string): void {
    const fields = {
      component: "todo.Row",
      state: `${row}`,
      groups: [`todo.${row}`],
      methods: { [METHOD]: {} },
      above: this.#list?.[0] ?? null,
      position,
    };
    this.#note("show", row, value, position);
    this.#rows.set(row, this.#stage.add({ value }, fields));
  }
}
