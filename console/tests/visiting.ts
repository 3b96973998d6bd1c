// The visitor of a file's tests or of a describe's.
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
