// SPDX-License-Identifier: Apache-2.0
// report.mjs SHOTS FILE.html...   Opens reports in Debian's chromium as a reader would, and prints what happened as JSON, an object a line.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "node_modules", "none.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [shots, ...files] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

// A page with what a reader has; everything that it asks for, says or throws is kept.
async function open(file, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const seen = { requests: [], dialogs: 0, errors: [] };
  page.on("request", (r) => seen.requests.push(r.url()));
  page.on("dialog", (d) => { seen.dialogs++; d.dismiss(); });
  page.on("console", (m) => seen.errors.push(m.text()));
  page.on("pageerror", (e) => seen.errors.push(String(e)));
  await page.goto(pathToFileURL(file).href);
  return { context, page, seen };
}

for (const file of files) {
  const name = basename(file, ".html");
  const result = { name, url: pathToFileURL(file).href };
  for (const [look, options] of [
    ["light", { viewport: { width: 1100, height: 900 }, colorScheme: "light" }],
    ["dark", { viewport: { width: 1100, height: 900 }, colorScheme: "dark" }],
    ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true }],
    ["unscripted", { viewport: { width: 1100, height: 900 }, javaScriptEnabled: false }],
  ]) {
    const { context, page, seen } = await open(file, options);
    await page.screenshot({ path: join(shots, `${name}-${look}.png`), fullPage: true });
    result[look] = { ...seen, text: (await page.locator("body").innerText()).length };
    if (look === "phone")
      result.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (look === "light")
      await page.pdf({ path: join(shots, `${name}.pdf`), format: "A4", preferCSSPageSize: true });
    await context.close();
  }
  // axe is a script: only for it the page's own policy is set aside.
  result.axe = {};
  for (const colorScheme of ["light", "dark"]) {
    const { context, page } = await open(file, { bypassCSP: true, colorScheme });
    await page.addScriptTag({ content: axe });
    const { violations } = await page.evaluate(() => axe.run());
    result.axe[colorScheme] = violations.map((v) => ({ id: v.id, impact: v.impact, nodes: v.nodes.slice(0, 3).map((n) => n.html) }));
    await context.close();
  }
  console.log(JSON.stringify(result));
}
await browser.close();
