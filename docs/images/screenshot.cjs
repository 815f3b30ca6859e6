// Takes a picture of the first screen of a page: screenshot.cjs PAGE PICTURE
const { chromium } = require("playwright-core");

(async () => {
  const [page, picture] = process.argv.slice(2);
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const tab = await browser.newPage({ viewport: { width: 1000, height: 900 }, colorScheme: "light" });
  await tab.goto(`file://${page}`);
  await tab.screenshot({ path: picture });
  await browser.close();
})();
