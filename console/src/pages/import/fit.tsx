/** Whether what an import would bring fits into Assets, and what would make it fit. */
import { answer, api, propose, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Button, Card, Failure, Loading, Lozenge, Message, Table } from "../../ui/parts";
import { Prose } from "../../ui/prose";
import { number } from "../../ui/time";
import { typeName, wordsOf } from "../../ui/words";
import type { Job } from "../import";

type Fit = Schema<"JobFit">;
type Proposal = Schema<"FitProposal">;

export function FitView({ job, onChanged }: { job: Job; onChanged: () => void }) {
  const fit = useQuery(`fit ${job.id} ${job.version}`, (signal) => answer(api.GET("/v1/jobs/{id}/fit", { params: { path: { id: job.id } }, signal })));
  if (!fit.data) return fit.error ? <Failure error={fit.error} title="It could not be compared" /> : <Loading what="Counting with Microsoft Graph" />;
  const { findings, objects, types } = fit.data;
  return (
    <div className="stack">
      <Message {...headline(fit.data)} live>
        <p>
          {objects.planned === null ? "How many objects it brings is not known." : `It brings ${objects.exact ? "" : "about "}${number(objects.planned)} objects.`} Jira Service Management Premium and Enterprise include {number(objects.included)} objects for the whole site.
        </p>
        {fit.data.partial && <p>A part could not be counted in time, or a permission is missing.</p>}
      </Message>
      {findings.map((finding) => (
        <Finding key={finding.code + (finding.objectType ?? "") + finding.detail} finding={finding} job={job} onChanged={onChanged} />
      ))}
      <Card title="What the import brings">
        <FitTable types={types} />
      </Card>
    </div>
  );
}

/** What is said first. That a permission is missing says nothing of the size. */
export function headline({ findings, partial }: Pick<Fit, "findings" | "partial">): { tone: "success" | "information" | "warning"; title: string } {
  if (findings.some((finding) => finding.code !== "permissionMissing")) return { tone: "warning", title: "The import is larger than Atlassian recommends" };
  if (partial || findings.length > 0) return { tone: "information", title: "As far as it could be counted, the import fits" };
  return { tone: "success", title: "The import fits into Assets" };
}

function Finding({ finding, job, onChanged }: { finding: Fit["findings"][number]; job: Job; onChanged: () => void }) {
  const take = useAction(async (proposal: Proposal) => {
    const made = await propose(proposal);
    // A filter narrows nothing until the import uses it.
    if (proposal.path === "/v1/filters" && made?.id) await answer(api.PATCH("/v1/jobs/{id}", { params: { path: { id: job.id } }, body: { filterId: made.id } }));
    onChanged();
  });
  return (
    <Message tone="warning" title={finding.objectType ? `${typeName(finding.objectType)}: ${wordsOf(finding.code).toLowerCase()}` : wordsOf(finding.code)}>
      <p>
        <Prose text={finding.detail} />
      </p>
      <div className="row">
        {finding.proposals.map((proposal) => (
          <Button key={proposal.title} pending={take.pending} onClick={() => void take.run(proposal)}>
            {proposal.title}
          </Button>
        ))}
      </div>
      <Failure error={take.error} />
    </Message>
  );
}

function FitTable({ types }: { types: Fit["types"] }) {
  return (
    <Table label="What the import brings" head={["Type", { text: "Objects", number: true }, { text: "Attributes", number: true }, { text: "References", number: true }, "Most values"]}>
      {types.map((of) => (
        <tr key={of.objectType}>
          <td className="strong">{typeName(of.objectType)}</td>
          <td className="number">
            {of.objects !== null && !of.exact && "≈ "}
            {number(of.objects)}
          </td>
          <Compared value={of.attributes} most={of.recommendedAttributes} />
          <Compared value={of.references.length} most={of.recommendedReferences} />
          <td>
            {of.references
              .filter((one) => one.mostValues !== null)
              .map((one) => `${wordsOf(one.attribute)}: ${number(one.mostValues)} of ${number(one.recommendedValues)}`)
              .join(", ") || "–"}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Compared({ value, most }: { value: number; most: number }) {
  return (
    <td className="number">
      {value > most ? <Lozenge tone="warning">{number(value)}</Lozenge> : number(value)} <span className="small subtle">of {number(most)}</span>
    </td>
  );
}
