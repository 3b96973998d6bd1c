/** Why an object of the directory is imported or not, step by step. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { Form, Select } from "../../ui/form";
import { Button, Card, Failure, Loading, Lozenge, Message, Table, type Tone } from "../../ui/parts";
import { Moment } from "../../ui/time";
import type { Job } from "../import";
import { Lookup } from "../lookup";

type Explanation = Schema<"Explanation">;
type Step = Schema<"ExplanationStep">;
/** The kinds that can be asked about, and how the service calls one. */
const PARAMETERS = { users: "user", groups: "group", devices: "device" } as const;
type Kind = keyof typeof PARAMETERS;
type Asked = { job: Job; kind: Kind; key: string };

/** `jobs`: the imports that can be asked; with one there is nothing to choose. */
export function Explain({ jobs }: { jobs: Job[] }) {
  const [jobId, setJobId] = useState(jobs[0]?.id ?? "");
  const [kind, setKind] = useState<Kind>("users");
  const [search, setSearch] = useState("");
  const [asked, setAsked] = useState<Asked>();
  const job = jobs.find((one) => one.id === jobId);
  if (!job) return null;
  const ask = (key: string) => key !== "" && setAsked({ job, kind, key });
  return (
    <Card title="Why is … not in?">
      <div className="stack">
        <p className="subtle">Find a user, group or device, and see what decides whether it is imported: the filter, its groups, the last run, and what Assets answered.</p>
        <Form label="Why is … not in?" onSubmit={() => ask(search.trim())} error={undefined}>
          <div className="grid2">
            {jobs.length > 1 && <Select label="Import" value={jobId} onChange={setJobId} options={jobs.map((one) => [one.id, one.name])} />}
            <Select<Kind>
              label="What"
              value={kind}
              onChange={setKind}
              options={[
                ["users", "A user"],
                ["groups", "A group"],
                ["devices", "A device"],
              ]}
            />
          </div>
          <Lookup
            connectionId={job.connectionId}
            kind={kind}
            search={search}
            onSearch={setSearch}
            help="Also of somebody who was deleted: write the whole name, and press «Explain»."
            onPick={(one) => {
              ask(one.id);
              setSearch("");
            }}
          />
          <div>
            <Button type="submit" kind="primary">
              Explain
            </Button>
          </div>
        </Form>
        {asked && <Answer key={`${asked.job.id} ${asked.kind} ${asked.key}`} asked={asked} onChoose={ask} />}
      </div>
    </Card>
  );
}

function Answer({ asked: { job, kind, key }, onChoose }: { asked: Asked; onChoose: (id: string) => void }) {
  const explained = useQuery(`explain ${job.id} ${job.version} ${kind} ${key}`, (signal) =>
    answer(api.GET("/v1/jobs/{id}/explain", { params: { path: { id: job.id }, query: { [PARAMETERS[kind]]: key } }, signal })),
  );
  if (!explained.data) return explained.error ? <Failure error={explained.error} /> : <Loading what="Looking in the import and in Microsoft Graph" />;
  return <ExplanationView explanation={explained.data} onChoose={onChoose} />;
}

const OUTCOMES: Record<Schema<"ExplanationOutcome">, { text: string; tone: Exclude<Tone, "neutral"> }> = {
  imported: { text: "Imported", tone: "success" },
  pending: { text: "Imported by the next run", tone: "information" },
  notImported: { text: "Not imported", tone: "warning" },
  leaving: { text: "Leaves with a later run", tone: "warning" },
  unknown: { text: "Not known", tone: "information" },
};

const SOURCES: Record<Schema<"ExplanationSource">, string> = { mirror: "what the import read last", graph: "Microsoft Graph, just now", delivered: "what was sent to Assets" };

function ExplanationView({ explanation, onChoose }: { explanation: Explanation; onChoose: (id: string) => void }) {
  const { object, candidates, outcome, steps } = explanation;
  const deciding = steps.filter((step) => step.verdict !== "notApplicable");
  const others = steps.filter((step) => step.verdict === "notApplicable");
  return (
    <section className="stack" aria-label="Explanation">
      <Message tone={OUTCOMES[outcome].tone} live title={`${object?.displayName ?? explanation.key}: ${OUTCOMES[outcome].text.toLowerCase()}`}>
        <p>{explanation.conclusion}</p>
        {explanation.advice && <p>{explanation.advice}</p>}
        {explanation.source && (
          <p className="small subtle">
            From {SOURCES[explanation.source]}
            {explanation.readAt && (
              <>
                {" "}
                · last complete read <Moment at={explanation.readAt} />
              </>
            )}
          </p>
        )}
      </Message>
      {candidates.length > 0 && (
        <ul className="stack tight" aria-label="Objects with this name">
          {candidates.map((one) => (
            <li key={one.id}>
              <Button onClick={() => onChoose(one.id)}>{one.displayName ?? one.id}</Button> <span className="small subtle break">{one.userPrincipalName ?? one.mail ?? one.id}</span>
            </li>
          ))}
        </ul>
      )}
      <StepTable label="What decides" steps={deciding} />
      {others.length > 0 && (
        <details>
          <summary>What does not matter here</summary>
          <ul className="stack tight small">
            {others.map((step) => (
              <li key={step.step}>{step.sentence}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

const STEPS: Record<Schema<"ExplanationStepName">, string> = {
  type: "Type",
  found: "In the directory",
  permission: "Permission",
  condition: "Condition",
  exclusion: "Exclusions",
  scope: "Membership",
  limit: "Limit",
  read: "Last read",
  delivery: "Delivery",
  assets: "Answer of Assets",
};

const VERDICTS: Record<Schema<"ExplanationVerdict">, { text: string; tone: Tone }> = {
  passed: { text: "Yes", tone: "success" },
  failed: { text: "No", tone: "danger" },
  pending: { text: "Not yet", tone: "information" },
  unknown: { text: "Not known", tone: "neutral" },
  notApplicable: { text: "–", tone: "neutral" },
};

function StepTable({ label, steps }: { label: string; steps: Step[] }) {
  return (
    <Table label={label} head={["Step", "Verdict", "What was found"]}>
      {steps.map((step) => (
        <tr key={step.step}>
          <td className="strong">{STEPS[step.step]}</td>
          <td>
            <Lozenge tone={VERDICTS[step.verdict].tone}>{VERDICTS[step.verdict].text}</Lozenge>
          </td>
          <td>
            <div className="stack tight">
              <p>{step.sentence}</p>
              {step.path && step.path.length > 0 && <p className="small">By way of {step.path.map((group) => group.name ?? group.id).join(" → ")}</p>}
              {step.conditions && step.conditions.length > 0 && <Conditions conditions={step.conditions} />}
              {step.advice && <p className="small subtle">{step.advice}</p>}
            </div>
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** How a condition stands beside the others, in words. */
const WITHIN: Record<Schema<"Joined">, string> = { all: "must hold", any: "one of these must hold", not: "must not hold" };

function Conditions({ conditions }: { conditions: Schema<"JudgedCondition">[] }) {
  return (
    <ul className="stack tight small" aria-label="Conditions">
      {conditions.map((one) => (
        <li key={one.condition + one.within} className="break">
          <Lozenge tone={one.holds === null ? "neutral" : one.holds ? "success" : "danger"}>{one.holds === null ? "Not known" : one.holds ? "Holds" : "Does not hold"}</Lozenge> <code>{one.condition}</code>{" "}
          <span className="subtle">
            ({WITHIN[one.within]}) – found: {found(one.value)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function found(value: unknown): string {
  if (value === null || value === undefined || value === "") return "no value";
  return typeof value === "string" ? `«${value}»` : JSON.stringify(value);
}
