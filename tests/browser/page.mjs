// SPDX-License-Identifier: Apache-2.0
// page.mjs SHOTS NAME URL WANTED   The live page in Debian's chromium. Prints "looking" when the page is live; waits until WANTED (a regular
// expression) stands in it, which must come without a new load; then looks at it in every way, and prints what happened as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "node_modules", "none.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [shots, name, url, wanted] = process.argv.slice(2);
const LIMIT = 120000;

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

async function open(options, address = url) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const seen = { requests: [], dialogs: 0, errors: [], loads: 0 };
  page.on("request", (r) => seen.requests.push(r.url()));
  page.on("dialog", (d) => { seen.dialogs++; d.dismiss(); });
  page.on("console", (m) => seen.errors.push(m.text()));
  page.on("pageerror", (e) => seen.errors.push(String(e)));
  page.on("domcontentloaded", () => seen.loads++);
  await page.goto(address, { waitUntil: "domcontentloaded" });
  return { context, page, seen };
}

const isLive = () => {
  const live = document.getElementById("live");
  return live && live.textContent === live.dataset.on;
};
const result = { name };
const first = await open({ viewport: { width: 1100, height: 900 }, colorScheme: "light" });
await first.page.waitForFunction(isLive, null, { timeout: LIMIT });
const before = await first.page.evaluate(() => {
  window.changes = 0;
  new MutationObserver(() => window.changes++).observe(document.querySelector("main"), { childList: true, subtree: true });
  return document.querySelector("main").innerText;
});
result.wasThere = new RegExp(wanted).test(before);
console.log("looking");
await first.page.waitForFunction((w) => new RegExp(w).test(document.querySelector("main").innerText), wanted, { timeout: LIMIT });
result.live = { ...first.seen, changes: await first.page.evaluate(() => window.changes) };
result.scripts = await first.page.evaluate(() => [...document.scripts].map((s) => s.src));
await first.page.screenshot({ path: join(shots, `${name}-light.png`), fullPage: true });
await first.context.close();

for (const [look, options, address] of [
  ["dark", { viewport: { width: 1100, height: 900 }, colorScheme: "dark" }, url],
  ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true }, url],
  ["ja", { viewport: { width: 1100, height: 900 }, locale: "ja-JP" }, url],
]) {
  const { context, page, seen } = await open(options, address);
  await page.waitForFunction(isLive, null, { timeout: LIMIT });
  await page.screenshot({ path: join(shots, `${name}-${look}.png`), fullPage: true });
  result[look] = { ...seen, text: (await page.locator("main").innerText()).length, lang: await page.evaluate(() => document.documentElement.lang),
    overflow: await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth) };
  await context.close();
}
{
  const { context, page, seen } = await open({ viewport: { width: 1100, height: 900 }, javaScriptEnabled: false });
  await page.screenshot({ path: join(shots, `${name}-unscripted.png`), fullPage: true });
  const text = await page.locator("main").innerText();
  while (seen.loads < 2) // by itself
    await page.waitForEvent("domcontentloaded", { timeout: LIMIT });
  result.unscripted = { ...seen, wanted: new RegExp(wanted).test(text) };
  await context.close();
}
result.axe = {};
for (const colorScheme of ["light", "dark"]) {
  const { context, page } = await open({ bypassCSP: true, colorScheme });
  await page.waitForFunction(isLive, null, { timeout: LIMIT });
  await page.addScriptTag({ content: axe });
  const { violations } = await page.evaluate(() => axe.run());
  result.axe[colorScheme] = violations.map((v) => ({ id: v.id, impact: v.impact, nodes: v.nodes.slice(0, 3).map((n) => n.html) }));
  await context.close();
}
console.log(JSON.stringify(result));
await browser.close();
