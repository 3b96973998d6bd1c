/** One destination: its check, then its settings. */
import { answer, api } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { go } from "../../route";
import { Button, Card, Confirm, Facts, Failure, Head, LinkButton, Loading, Message } from "../../ui/parts";
import { Moment } from "../../ui/time";
import { PlaceLink } from "../places";
import { Findings, overallText } from "../source/report";
import { DestinationForm } from "./form";
import { AssetsSteps } from "./steps";
import { TypesInAssets } from "./types";

const STATUS: Record<string, string> = {
  IDLE: "Ready",
  DISABLED: "Disabled in Assets",
  MISSING_MAPPING: "Object types are not built yet",
  RUNNING: "An import is running",
};

export function DestinationPage({ id }: { id: string }) {
  const destination = useQuery(`destination ${id}`, (signal) => answer(api.GET("/v1/destinations/{id}", { params: { path: { id } }, signal })));
  const version = destination.data?.version;
  const check = useQuery(version === undefined ? null : `check ${id} ${version}`, (signal) => answer(api.POST("/v1/destinations/{id}/check", { params: { path: { id } }, signal })));
  const jobs = useQuery(`jobs of destination ${id}`, (signal) => answer(api.GET("/v1/jobs", { params: { query: { destinationId: id, limit: 1 } }, signal })));
  const remove = useAction(async () => {
    await answer(api.DELETE("/v1/destinations/{id}", { params: { path: { id } } }));
    go("/destination");
  });
  if (!destination.data) return destination.error ? <Failure error={destination.error} /> : <Loading />;
  const where = { jobId: jobs.data?.items[0]?.id };
  const overall = check.data && overallText[check.data.overall];
  return (
    <>
      <Head title={destination.data.name} crumbs={{ to: "/destination", text: "Destination" }}>
        {check.data && check.data.overall !== "failed" && <LinkButton to="/import/new">Next: import</LinkButton>}
        <Button kind="primary" pending={check.loading} onClick={check.reload}>
          Check destination
        </Button>
      </Head>
      <div className="columns">
        <div className="stack">
          {check.loading && <Loading what="Asking Assets" />}
          <Failure error={check.error} />
          {check.data && overall && (
            <>
              <Message tone={overall.tone} title={overall.text} live>
                <Facts
                  items={[
                    ["Import source", STATUS[check.data.importSource?.status ?? ""] ?? check.data.importSource?.status ?? "Not seen"],
                    ["Checked", <Moment key="c" at={check.data.checkedAt} />],
                  ]}
                />
              </Message>
              <Findings findings={check.data.findings.filter((finding) => !(finding.code === "assets_mapping_missing" || finding.code === "no_job"))} where={where} />
              {check.data.findings.some((finding) => finding.code === "assets_mapping_missing") && (
                <Message tone="information">
                  <p>The import source has no object types and attributes yet. «Build» on the page of the import creates them.</p>
                  <PlaceLink code="assets_mapping_missing" where={where} />
                </Message>
              )}
            </>
          )}
          <TypesInAssets id={id} />
          <Card title="Settings">
            <DestinationForm key={version} destination={destination.data} onSaved={destination.reload} />
          </Card>
          <div>
            <Confirm kind="danger" button="Delete destination" title={`Delete «${destination.data.name}»?`} confirm="Delete" onConfirm={remove.run} pending={remove.pending} error={remove.error}>
              <p>The service forgets the token and what it delivered. Objects in Assets stay. A destination that an import uses cannot be deleted.</p>
            </Confirm>
          </div>
        </div>
        <AssetsSteps />
      </div>
    </>
  );
}
