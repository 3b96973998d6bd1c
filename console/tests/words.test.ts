// What the pages say and send, asked of their functions without a page.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { source } from "./support.js";

describe("the difference of two values", () => {
  type Words = { differs: (before: unknown, after: unknown) => boolean; difference: (before: unknown, after: unknown) => { gone: string; come: string; kept: number } };
  const words = source<Words>("/src/ui/difference.ts");

  it("is seen behind what is shown of them", async () => {
    const { differs, difference } = await words;
    const same = "x".repeat(290);
    const [before, after] = [`${same}12345678901234567890 old`, `${same}12345678901234567890 new`];
    assert.ok(differs(before, after));
    const { gone, come } = difference(before, after);
    assert.match(gone, /^…x*1234567890.* old$/);
    assert.match(come, /^…x*1234567890.* new$/);
    assert.equal(difference("a", "x".repeat(1000)).come.length, 301);
  });

  it("of lists is what came and what went", async () => {
    const { differs, difference } = await words;
    const groups = Array.from({ length: 100 }, (_, n) => `Group ${n}`);
    assert.ok(differs(groups, [...groups, "New"]));
    assert.deepEqual(difference(groups, [...groups.slice(1), "New"]), { gone: "Group 0", come: "New", kept: 99 });
    assert.deepEqual(difference(["a", "b"], ["b", "a"]), { gone: "a, b", come: "b, a", kept: 0 });
    assert.deepEqual(difference(["a"], []), { gone: "a", come: "", kept: 0 });
  });

  it("is none where both are empty or the same", async () => {
    const { differs } = await words;
    for (const [before, after] of [[undefined, null], ["", null], [[], undefined], [["a"], ["a"]], [0, 0]]) assert.ok(!differs(before, after), JSON.stringify([before, after]));
    for (const [before, after] of [[0, null], ["a, b", ["a", "b"]], [true, "Yes"], [["a"], []]]) assert.ok(differs(before, after), JSON.stringify([before, after]));
  });
});

describe("who did something", () => {
  type Words = { actorOf: (text: string, names: Map<string, string>) => string };

  it("is said in words, with everything that tells one from another", async () => {
    const { actorOf } = await source<Words>("/src/ui/actor.ts");
    const names = new Map([["0190", "Robot"]]);
    const CASES: [string, string][] = [
      ["adminKey", "the key of the operator"],
      ["apiKey:0190", "the key «Robot»"],
      ["apiKey:0191", "the key 0191"],
      ["jwt:https://login.example.com:tenant:user:1", "the token of https://login.example.com:tenant:user:1"],
      ["handover:0190", "an administrator of Entra, by a link"],
      ["ticket", "a link for a download"],
      ["commandLine", "somebody at the command line"],
      ["schedule", "the schedule"],
      ["retry", "the schedule, after a failed run"],
      ["service", "the service"],
      ["run 0190", "a run"],
      ["somethingNewer", "something newer"],
    ];
    for (const [text, words] of CASES) assert.equal(actorOf(text, names), words);
  });
});

describe("how a condition compares", () => {
  type Part = Record<string, unknown>;
  type Way = { key: string; text: string };
  type Choices = { fieldsOf: (properties: unknown[]) => unknown[]; waysOf: (field: unknown, part: Part) => Way[]; wayOf: (part: Part, field: unknown) => Way; wayWords: (part: Part) => string };
  const property = { name: "mail", shape: "value", valueType: "string", operators: ["eq", "ne", "in"].map((operator) => ({ operator, advanced: operator === "ne" })), null: "default", counts: [0], values: [], elements: [] };
  const part = { kind: "comparison", id: 1, not: false, property: "mail", operator: "eq", isNull: false, values: ["a"] };
  const CASES: [Part, string][] = [
    [{ isNull: true }, "has no value"],
    [{ isNull: true, operator: "ne" }, "has a value"],
    [{ isNull: true, not: true }, "has a value"],
    [{ isNull: true, not: true, operator: "ne" }, "has no value"],
    [{ not: true }, "is not"],
    [{ not: true, operator: "ne" }, "is"],
    [{ not: true, operator: "in" }, "is none of"],
    [{ property: "mail/$count", values: [0] }, "has none"],
    [{ property: "mail/$count", values: [0], not: true }, "has at least one"],
    [{ property: "mail/$count", values: [2], operator: "ne" }, "has another number than 2"],
    [{ property: "mail/$count", values: [2], operator: "gt" }, "has a number that is more than 2"],
  ];

  it("is said alike in the form and in lists, and each way is offered once", async () => {
    const { fieldsOf, waysOf, wayOf, wayWords } = await source<Choices>("/src/pages/filter/form/choices.ts");
    const [field] = fieldsOf([property]);
    for (const [change, words] of CASES) {
      const changed = { ...part, ...change };
      const texts = waysOf(field, changed).map((way) => way.text);
      assert.deepEqual([wayWords(changed), wayOf(changed, field).text], [words, words]);
      assert.ok(waysOf(field, changed).some((way) => way.key === wayOf(changed, field).key));
      assert.equal(new Set(texts).size, texts.length, texts.join(", "));
    }
  });
});

describe("a kind of which Graph takes no advanced queries", () => {
  type Choices = { fieldsOf: (properties: unknown[]) => unknown[]; waysOf: (field: unknown, part: unknown) => { text: string }[] };

  it("offers nothing that is negated", async () => {
    const { fieldsOf, waysOf } = await source<Choices>("/src/pages/filter/form/choices.ts");
    const operators = ["eq", "in"].map((operator) => ({ operator, advanced: false }));
    const [field] = fieldsOf([{ name: "displayName", shape: "value", valueType: "string", operators, null: "default", counts: [], values: [], elements: [] }]);
    const part = { kind: "comparison", id: 1, not: false, property: "displayName", operator: "eq", isNull: false, values: ["a"] };
    assert.deepEqual(waysOf(field, part).map((way) => way.text), ["is", "is one of", "has no value"]);
  });
});

describe("the places where advice is followed", () => {
  type Place = (where: Record<string, string>) => { text: string; path: string };

  it("are of codes that the service has, and need nothing that is not known", async () => {
    const { PLACES } = await source<{ PLACES: Record<string, Place> }>("/src/pages/places.tsx");
    const errors = await readFile("../docs/errors.md", "utf8");
    for (const [code, place] of Object.entries(PLACES)) {
      assert.ok(errors.includes(`| \`${code}\` |`), code);
      assert.match(place({ runId: "r", jobId: "j", connectionId: "c", filterId: "f", destinationId: "d" }).path, /^\/(runs\/r|import\/j|source\/c|filter\/f|destination\/d)(\?|$)/);
      assert.ok(!place({}).path, code);
    }
  });
});

describe("the settings of an import", () => {
  type Job = Record<string, unknown>;
  type Draft = Record<string, unknown> & { rhythm: Record<string, unknown> };
  type Drafts = { draftOf: (job?: Job) => Draft; bodyOf: (draft: Draft, job?: Job) => { schedule?: unknown; objects: unknown }; choiceOf: (type: string, draft: Draft, job: Job, known: unknown[]) => unknown };
  const drafts = source<Drafts>("/src/pages/import/draft.ts");
  const schedule = { cron: "0 5 * * *", timezone: "Europe/Berlin", enabled: true, mode: "full", fullCron: "0 3 1 * *", retry: { attempts: 2, afterMinutes: 20 }, nextRunAt: "2027-01-01T05:00:00Z", pausedReason: null };
  const job = { name: "Job", connectionId: "c", filterId: null, destinationId: null, objects: { users: { enabled: true, jiraUser: true, jiraUserAttribute: "Account", names: {} } }, memberships: "both", deliver: "full", removal: { policy: "keep", afterMissingRuns: 3, brakePercent: 20 }, schedule };

  it("send nothing of what was not changed", async () => {
    const { draftOf, bodyOf } = await drafts;
    for (const stored of [job, { ...job, schedule: null }, { ...job, schedule: { ...schedule, enabled: false, pausedReason: "manual" } }, { ...job, schedule: { ...schedule, cron: "@daily" } }]) {
      const body = bodyOf({ ...draftOf(stored), name: "Other" }, stored);
      assert.deepEqual([body.objects, "schedule" in body], [{}, false]);
    }
  });

  it("send the whole schedule when a part of it was changed", async () => {
    const { draftOf, bodyOf } = await drafts;
    const draft = draftOf(job);
    const { timezone, mode, fullCron, retry } = schedule;
    assert.deepEqual(bodyOf({ ...draft, rhythm: { ...draft.rhythm, time: "06:15" } }, job).schedule, { cron: "15 6 * * *", timezone, mode, enabled: true, fullCron, retry });
    assert.equal(bodyOf({ ...draft, rhythm: { ...draft.rhythm, every: "never" } }, job).schedule, null);
  });

  it("have attributes and references in lists of their own", async () => {
    const { draftOf, bodyOf, choiceOf } = await drafts;
    const known = (key: string, assetsType: string, presence: string) => ({ objectType: "users", key, assetsType, presence });
    const list = [known("department", "text", "default"), known("manager", "referenced_object", "default"), known("groups", "referenced_object", "default"), known("licenses", "referenced_object", "default"), known("allGroups", "referenced_object", "onRequest")];
    const CASES: [attributes: string[] | null, references: string[] | null, own: string[] | null, refers: string[] | null][] = [
      [null, null, null, null],
      [["department", "manager", "groups"], null, ["department"], null],
      [["department"], ["manager"], ["department"], ["manager"]],
      [["department", "licenses"], ["manager"], ["department"], ["manager", "licenses"]],
      [["allGroups"], null, [], ["manager", "licenses", "allGroups"]],
      [null, [], null, []],
    ];
    for (const [attributes, references, own, refers] of CASES) {
      const stored = { ...job, objects: { users: { enabled: true, attributes, references, names: {} } } };
      assert.deepEqual(choiceOf("users", draftOf(stored), stored, list), { attributes: own, references: refers });
    }
    assert.deepEqual(bodyOf({ ...draftOf(job), attributes: { users: ["department"] }, references: { users: ["manager"] } }, job).objects, { users: { attributes: ["department"], references: ["manager"] } });
  });

  it("send references to other objects whole, and none as an empty list", async () => {
    const { draftOf, bodyOf } = await drafts;
    const objects = (lookups: object) => bodyOf({ ...draftOf(job), lookups }, job).objects;
    assert.deepEqual(objects({ users: [{ attribute: "department", objectType: "Cost Center", name: " " }] }), { users: { lookups: [{ attribute: "department", objectType: "Cost Center", by: null, name: null }] } });
    assert.deepEqual(objects({ users: [] }), { users: { lookups: [] } });
  });

  it("send names that were changed, and take out those that are gone", async () => {
    const { draftOf, bodyOf } = await drafts;
    const stored = { ...job, objects: { users: { enabled: true, names: { mail: "Post", department: "Team" } } } };
    const objects = (names: object, of?: typeof stored) => bodyOf({ ...draftOf(of), names: { users: names } }, of).objects;
    assert.deepEqual(objects({ mail: " Letter ", city: "" }, stored), { users: { names: { mail: "Letter", department: null } } });
    assert.deepEqual(objects({ mail: "Letter", city: " " }), { users: { names: { mail: "Letter" } } });
  });

  it("send of Jira accounts what was changed", async () => {
    const { draftOf, bodyOf } = await drafts;
    const objects = (accounts: object) => bodyOf({ ...draftOf(job), accounts }, job).objects;
    assert.deepEqual(objects({ jiraUser: false }), { users: { jiraUser: false } });
    assert.deepEqual(objects({ jiraUserAttribute: " " }), { users: { jiraUserAttribute: null } });
  });
});
