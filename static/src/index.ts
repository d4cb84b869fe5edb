// The component client: joins the page's components to its stream and to its server.

import bundled from "alpinejs";
import { type Alpine, notes } from "./alpine";
import { sender } from "./calls";
import { Component } from "./component";
import { type Config, configOf } from "./config";
import { Connection } from "./connection";
import { browser } from "./env";
import { watchTyping } from "./guard";
import { follow } from "./lifecycle";
import { Sources, openSocket } from "./link";
import { Notified } from "./notified";
import { Page } from "./page";
import { poster } from "./post";
import { type AskRenewal, asker } from "./renewal";
import { scope } from "./root";
import { Slots } from "./slots";
import { type Status, StatusTeller, initialStatus } from "./status";
import { Transports } from "./transports";

/** Register with Alpine, before it looks at the page. */
function register(alpine: Alpine, config: Config): void {
  const page = new Page(browser, document, new Notified(browser.storage));
  const post = poster(browser, config.csrf);
  const send = sender(post, config.components, () => location.pathname + location.search);
  watchTyping();
  alpine.store("sse", initialStatus());
  alpine.data("sse", function () {
    const create = (view: Component["view"], props: Record<string, unknown>) => {
      const component = new Component(browser, send, page, view, props);
      page.add(component);
      return component;
    };
    return scope(this.$el, create, alpine);
  });
  if (config.stream) {
    const status = new StatusTeller(alpine.store("sse") as Status, document);
    const ask = asker(post, config.renewal);
    const connection = connect(config, config.stream, page, status, ask);
    page.connect(connection);
    follow(connection);
  }
}

function connect(
  { cursor, grants, socket }: Config,
  address: string,
  page: Page,
  status: StatusTeller,
  ask: AskRenewal,
): Connection {
  const sink = {
    event: page.event.bind(page),
    reset(groups: string[], spread: number) {
      status.reset(groups);
      page.reset(groups, spread);
    },
    state: status.state.bind(status),
    activity: status.activity.bind(status),
    opened: page.opened.bind(page),
    denied: status.denied.bind(status),
    expired: page.expired.bind(page),
  };
  const sources = new Sources(browser, address);
  const sockets = openSocket(browser, socket);
  const opener = new Transports(browser, sources.open, sockets, new Slots(browser));
  return new Connection(browser, opener, sink, cursor, grants, ask);
}

/** An Alpine that is already at work has met our components without knowing them. */
function catchUp(alpine: Alpine): void {
  for (const root of document.querySelectorAll("[data-sse-component]")) {
    if (!notes(root)._x_dataStack) continue; // it hasn't, and will do it by itself
    if (root.parentElement?.closest("[data-sse-component]")) continue;
    alpine.destroyTree(root);
    alpine.initTree(root);
  }
}

function begin(): void {
  const script = document.querySelector<HTMLElement>("script[data-sse-scripts]");
  if (!script) return;
  const config = configOf(script);
  if (window.Alpine) {
    register(window.Alpine, config);
    catchUp(window.Alpine);
    return;
  }
  // The page's own Alpine may be a later script; all have run at DOMContentLoaded.
  let found = false;
  const join = () => {
    if (!found && window.Alpine) register(window.Alpine, config);
    found = true;
  };
  document.addEventListener("alpine:init", join, { once: true });
  const start = () => {
    if (found) return;
    if (window.Alpine) return; // it starts later and says so
    found = true;
    window.Alpine = bundled;
    register(bundled, config);
    bundled.start();
  };
  if (document.readyState === "complete") start();
  else document.addEventListener("DOMContentLoaded", start, { once: true });
}

begin();
