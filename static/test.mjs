// Runs tests/ under node:test, each file bundled by itself, because Node.js reads no
// TypeScript. No DOM: what needs one is tested in a browser, in ../tests/browser.

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const built = "node_modules/.tests";

rmSync(join(here, built), { recursive: true, force: true });
await build({
  absWorkingDir: here,
  entryPoints: readdirSync(join(here, "tests"))
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `tests/${name}`),
  outdir: built,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  sourcemap: "inline",
  logLevel: "warning",
});
const files = readdirSync(join(here, built)).map((name) => join(built, name));
const { status } = spawnSync(
  process.execPath,
  ["--enable-source-maps", "--test", "--test-reporter=spec", ...files],
  { cwd: here, stdio: "inherit" },
);
process.exit(status ?? 1);
