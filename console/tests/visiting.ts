// The visitor of a file's tests or of a describe's, and what is asked of the pages of runs.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launch, signIn, type Visitor, visit } from "./support.js";

/** Of the tests that run now: each file of tests is a process of its own, and its tests follow each other. */
export let browser: Browser;
export let visitor: Visitor;
export let page: Page;

const nothing = async () => {};
type Options = { width?: number; dark?: boolean; signedIn?: boolean };

/** A browser with one visitor, who is signed in unless told otherwise. No test may leave a fault. `prepare` comes before. */
export function visiting(prepare: () => Promise<unknown> = nothing, { signedIn = true, ...options }: Options = {}): void {
  before(async () => {
    await prepare();
    browser = await launch();
    visitor = await visit(browser, options);
    page = visitor.page;
    if (signedIn) await signIn(page);
  });
  after(() => browser.close());
  beforeEach(() => {
    visitor.faults = [];
    visitor.expected = [];
  });
  afterEach(() => assert.deepEqual(visitor.faults, []));
}

/** Statistics of a run, by row and column. */
export async function count(type: string, column: string): Promise<number> {
  const table = page.getByRole("group", { name: "Statistics" });
  const heads = await table.getByRole("columnheader").allTextContents();
  const cell = table.getByRole("row", { name: new RegExp(`^${type}`) }).getByRole("cell").nth(heads.indexOf(column));
  return Number((await cell.textContent())?.replaceAll(",", ""));
}

/** The page of a run is open, and the run has ended so. */
export async function ended(run: string, text: string): Promise<void> {
  await page.getByRole("heading", { level: 1, name: new RegExp(`^${run}: `) }).waitFor();
  await page.locator("main .lozenge", { hasText: new RegExp(`^${text}$`) }).first().waitFor({ timeout: 60_000 });
}
