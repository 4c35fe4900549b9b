// Opens pages in headless Chromium, uses them as a reader does, and prints what it saw as JSON.
//   node browser.cjs chromium '{"table": "/tmp/table.html", ...}'
"use strict";
const { chromium } = require("playwright-core");
const axe = require("fs").readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [, , executablePath, pages] = process.argv;

const rows = (page, id = "row") =>
  page.$$eval(`#${id} tbody tr`, (lines) =>
    lines.map((line) => ({
      name: line.querySelector("th").innerText.trim(),
      cells: Array.from(line.querySelectorAll("td"), (cell) => cell.innerText.trim()),
      bar: line.querySelector(".px-bar")?.getAttribute("style") ?? "",
      whisker: line.querySelector(".px-whisker")?.getAttribute("style") ?? "",
    })),
  );
const text = (page, selector) => page.$eval(selector, (one) => one.innerText.trim());
const shown = (page) =>
  page.$$eval("#figures .shown", (all) =>
    all.filter((one) => one.checkVisibility()).map((one) => [one.dataset.row, one.dataset.output]),
  );

// What axe-core finds serious; of a second color scheme the contrasts alone.
async function violations(page, runOnly) {
  await page.evaluate(axe);
  const options = { resultTypes: ["violations"], ...(runOnly && { runOnly }) };
  const found = await page.evaluate((chosen) => axe.run(document, chosen), options);
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

const uses = {
  async table(page, seen) {
    seen.first = await rows(page);
    await page.keyboard.press("Tab");
    seen.skip = await page.evaluate(() => document.activeElement.innerText);
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowRight");
    seen.next = { title: await text(page, "#row-title"), head: await text(page, "#head"), rows: await rows(page) };
    await page.keyboard.press("ArrowLeft");
    seen.back = await rows(page);
    await page.selectOption("#sort", "name");
    seen.named = await rows(page);
    await page.selectOption("#sort", "low");
    seen.low = await rows(page);
    await page.selectOption("#sort", "size");
    await page.fill("#search", "QUOTES");
    seen.searched = await rows(page);
    await page.keyboard.press("ArrowRight");
    seen.typed = await text(page, "#row-title");
    await page.fill("#search", "");
    seen.output = [await text(page, "#head")];
    await page.selectOption("#output", "1");
    seen.output.push(await text(page, "#head"));
    seen.switched = await rows(page);
    seen.global = await rows(page, "global");
    seen.effects = await page.$$eval("#effects figure", (all) =>
      all.filter((one) => one.checkVisibility()).map((one) => one.dataset.effect));
    await page.fill("#number", "7");
    await page.press("#number", "Enter");
    seen.number = await text(page, "#row-title");
    await page.click("#rows tbody tr:nth-child(3) button");
    seen.chosen = [await text(page, "#row-title"), await page.evaluate(() => document.activeElement.id)];
    seen.current = await page.$$eval("#rows [aria-current]", (all) => all.map((one) => one.innerText));
    await page.click("#rows thead button[data-by=prediction]");
    seen.sorted = await page.$$eval("#rows tbody td.px-number", (all) => all.map((one) => one.innerText));
    await page.click("#theme");
    await page.click("#theme");
    seen.theme = await page.evaluate(() => [
      document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]);
    seen.hurt = await page.evaluate(() => window.hurt ?? null);
  },
  async many(page, seen) {
    seen.said = [await text(page, "#page-said")];
    await page.click("#page-on");
    seen.said.push(await text(page, "#page-said"));
    seen.lines = (await rows(page, "rows")).length;
    seen.few = (await rows(page)).length;
    await page.click("#scores-more button");
    seen.all = (await rows(page)).length;
    seen.nodes = await page.evaluate(() => document.querySelectorAll("*").length);
  },
  async photos(page, seen) {
    seen.shown = [await shown(page)];
    const screen = async () => (await page.locator("#figures .px-layers:visible").screenshot()).toString("base64");
    const slide = (id, value) => page.$eval(id, (one, to) => {
      one.value = to;
      one.dispatchEvent(new Event("input"));
    }, value);
    seen.screens = { start: await screen() };
    await slide("#opacity", "0");
    seen.screens.clear = await screen();
    await slide("#opacity", "100");
    seen.screens.full = await screen();
    await slide("#threshold", "60");
    seen.said = await text(page, "#threshold-said");
    seen.screens.above = await screen();
    await slide("#threshold", "0");
    await page.selectOption("#output", "2");
    seen.shown.push(await shown(page));
    seen.loaded = await page.$$eval("#figures .px-below", (all) =>
      all.filter((one) => one.checkVisibility()).map((one) => one.naturalWidth));
    await page.keyboard.press("Escape");
    await page.click("#next");
    seen.shown.push(await shown(page));
  },
  async texts(page, seen) {
    seen.first = await text(page, "#figures .px-tokens");
    await page.click("#next");
    seen.second = await page.$$eval("#figures .px-tokens", (all) =>
      all.filter((one) => one.checkVisibility()).map((one) => one.innerText));
    seen.rows = await rows(page);
  },
  async series(page, seen) {
    seen.shown = [await shown(page)];
    await page.click("#next");
    seen.shown.push(await shown(page));
  },
};

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const all = {};
  for (const [kind, path] of Object.entries(JSON.parse(pages))) {
    const seen = (all[kind] = { messages: [], requests: [], axe: {} });
    for (const colorScheme of ["dark", "light"]) {
      const page = await browser.newPage({ colorScheme, viewport: { width: 1100, height: 800 } });
      page.on("console", (message) => seen.messages.push(message.text()));
      page.on("pageerror", (error) => seen.messages.push(error.message));
      page.on("request", (request) => {
        const address = request.url();
        if (!address.startsWith("data:") && address !== `file://${path}`) seen.requests.push(address);
      });
      await page.goto(`file://${path}`);
      seen.axe[colorScheme] = await violations(page, colorScheme === "dark" ? ["color-contrast"] : undefined);
      if (colorScheme === "light") {
        await page.reload();
        await uses[kind](page, seen);
        seen.axe.after = await violations(page);
        await page.emulateMedia({ media: "print" });
        seen.printed = await page.$$eval(".controls", (all) => all.filter((one) => one.checkVisibility()).length);
      }
      await page.close();
    }
  }
  await browser.close();
  console.log(JSON.stringify(all));
})();
