// Checks HTML reports with axe in Chromium: every width and colour scheme, with parts closed and opened.
// Also fails if a page scrolls sideways.
//
//     npm install --no-save --no-package-lock --prefix xtask/report-page axe-core@4 puppeteer-core@24
//     node xtask/report-page/axe.mjs REPORT.html...
//
// CHROMIUM is the browser [default: /usr/bin/chromium].
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
  protocolTimeout: 600_000,
});
let failures = 0;
for (const file of process.argv.slice(2)) {
  for (const width of [360, 800, 1400]) {
    for (const scheme of ["light", "dark"]) {
      for (const opened of [false, true]) {
        const page = await browser.newPage();
        // The page's policy forbids any other script.
        await page.setBypassCSP(true);
        await page.setViewport({ width, height: 900 });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await page.goto(pathToFileURL(resolve(file)).href);
        if (opened) await page.$$eval("details", (all) => all.forEach((each) => (each.open = true)));
        await page.evaluate(axe);
        const { violations, sideways } = await page.evaluate(async () => ({
          violations: (await axe.run()).violations,
          sideways: document.documentElement.scrollWidth > innerWidth,
        }));
        const label = `${file} ${width} ${scheme}${opened ? " opened" : ""}`;
        for (const { id, nodes } of violations) {
          failures += 1;
          console.log(`${label}: ${id}: ${nodes.length}: ${nodes[0].html}\n  ${nodes[0].failureSummary}`);
        }
        if (sideways) {
          failures += 1;
          console.log(`${label}: scrolls sideways`);
        }
        await page.close();
      }
    }
  }
}
await browser.close();
console.log(failures ? `${failures} failures` : "no failures");
process.exitCode = failures ? 1 : 0;
