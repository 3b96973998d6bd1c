// How quick and how small the pages are, and that a very long list scrolls.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { accessible, call, healthy, launch, open, run, service, signIn, visit } from "./support.js";

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

describe("the pages", () => {
  it("come with a strict policy, and are small", async () => {
    const index = await fetch(`${service}/console/`);
    const policy = index.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    const files = [...(await index.text()).matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map((match) => match[1]);
    assert.ok(files.length >= 2);
    let size = 0;
    for (const file of files) {
      const answer = await fetch(`${service}/console/${file}`, { headers: { "Accept-Encoding": "gzip" } });
      assert.match(answer.headers.get("cache-control") ?? "", /immutable/);
      size += Number(answer.headers.get("content-length") ?? (await sizeOf(`${service}/console/${file}`)));
    }
    assert.ok(size < 300_000, `${size} bytes`);
  });
});

describe("the first paint", () => {
  /** A machine that needs longer than this for a page of one word measures itself and not the console. */
  const MACHINE = 300;
  const MOST = 1000;
  const VISITS = 8;

  /** When the page that is open painted first, in milliseconds after the navigation began. */
  async function paint(page: Page): Promise<number> {
    // The entry is written a moment after the paint. The policy of the pages forbids that the page itself waits for it.
    for (;;) {
      const at = (await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")) as number | null;
      if (at !== null) return at;
      await page.waitForTimeout(10);
    }
  }

  it(`comes within a second, on a machine that paints one word within ${MACHINE} ms`, async (test) => {
    // The quickest of a few visits, each without a cache: other work on the machine may fall into one of them.
    const times = { word: [] as number[], signIn: [] as number[], overview: [] as number[] };
    const isDone = () => Math.min(...times.word) <= MACHINE && Math.max(Math.min(...times.signIn), Math.min(...times.overview)) < MOST;
    while (times.word.length < VISITS && !isDone()) {
      const { page, context } = await visit(browser);
      await page.route(`${service}/word`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><p>word</p>" }));
      await page.goto(`${service}/word`);
      times.word.push(await paint(page));
      await page.goto(`${service}/console/`);
      times.signIn.push(await paint(page));
      await signIn(page);
      await (await context.newCDPSession(page)).send("Network.clearBrowserCache");
      await page.reload();
      times.overview.push(await paint(page));
      await context.close();
    }
    test.diagnostic(`first paint: ${JSON.stringify(times)} ms`);
    const [word, first, overview] = [times.word, times.signIn, times.overview].map((list) => Math.min(...list)) as [number, number, number];
    if (word > MACHINE) return test.skip(`this machine needs ${word} ms for a page of one word`);
    assert.ok(first < MOST && overview < MOST, `sign-in after ${first} ms, overview after ${overview} ms`);
  });
});

describe("a list of 100,000 changes", () => {
  const TOTAL = 100_000;

  /** As many changes of a run, written into its database: they come to the page through the API as others do. */
  async function fill(runId: string): Promise<void> {
    const dir = process.env.SERVICE_DATA_DIR ?? "";
    // Line 4 of the file is the port, line 5 the folder of the socket.
    const [, , , port = "", socket = ""] = (await readFile(join(dir, "postgres", "postmaster.pid"), "utf8")).split("\n");
    const psql = process.env.PG_BIN_DIR ? join(process.env.PG_BIN_DIR, "psql") : "psql";
    const rows = `INSERT INTO run_changes (organization_id, run_id, seq, object_type, object_id, label, action, reason, send, before, after)
      SELECT organization_id, id, 1000000 + n, 'users', gen_random_uuid(), 'User ' || n, 'update', 'changed', false,
             '{"department":"Sales"}', '{"department":"Department ' || n || '"}'
      FROM runs, generate_series(1, ${TOTAL}) n WHERE id = '${runId}'`;
    const clear = `DELETE FROM run_changes WHERE run_id = '${runId}'`;
    await promisify(execFile)(psql, [`--host=${socket}`, `--port=${port}`, "--username=postgres", "--set=ON_ERROR_STOP=1", "--command", clear, "--command", rows, "entra_assets"]);
  }

  it("comes from the API, scrolls to its end, and shows the values of its last row", async (test) => {
    const job = await call("POST", "/jobs", { name: "Large", connectionId: await healthy() });
    const { id } = await run(job.id, "dryRun");
    await fill(id);
    const { page, context, faults } = await visit(browser);
    page.setDefaultTimeout(120_000);
    await signIn(page);
    await open(page, `/runs/${id}`);
    const list = page.getByRole("listbox", { name: "Changes" });
    await list.getByRole("option").first().waitFor();
    const started = Date.now();
    const longest = (await page.evaluate(`(async () => {
      const list = document.querySelector("[role=listbox].list");
      const state = document.querySelector(".changes").lastElementChild;
      let longest = 0;
      while (!state.textContent.includes("100,000 in all")) {
        const before = performance.now();
        list.scrollTop = list.scrollHeight;
        await new Promise(requestAnimationFrame);
        longest = Math.max(longest, performance.now() - before);
        await new Promise((done) => setTimeout(done, 5));
      }
      return longest;
    })()`)) as number;
    test.diagnostic(`scrolled through ${TOTAL} changes in ${Date.now() - started} ms; the longest frame took ${Math.round(longest)} ms`);
    await list.press("End");
    await page.getByRole("cell", { name: /^Department \d+$/ }).waitFor();
    const last = await list.getByRole("option").last().getAttribute("aria-posinset");
    assert.equal(last, String(TOTAL));
    assert.ok((await list.getByRole("option").count()) < 100, "only the rows in sight are in the page");
    await accessible(page, "long list");
    assert.deepEqual(faults, []);
    await context.close();
  });
});

/** The bytes that are sent: `fetch` decompresses, so they are counted on the wire. */
async function sizeOf(url: string): Promise<number> {
  const { get } = await import("node:http");
  return new Promise((resolve, reject) => {
    get(url, { headers: { "Accept-Encoding": "gzip" } }, (answer) => {
      let size = 0;
      answer.on("data", (part: Buffer) => (size += part.length)).on("end", () => resolve(size)).on("error", reject);
    }).on("error", reject);
  });
}
