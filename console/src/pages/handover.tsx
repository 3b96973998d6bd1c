/** The page of a handover's link: what the administrator of Entra does, without a key. */
import { useEffect, useState } from "react";
import { answer, api, Refused, type Schema } from "../api/client";
import { useAction, useQuery } from "../api/use";
import { Mark, ThemeButton } from "../app";
import { Form } from "../ui/form";
import { Button, Card, Facts, Failure, Loading, Message } from "../ui/parts";
import { CredentialFields, credentialOf, NO_CREDENTIAL } from "./source/form";
import { DropZone, ManifestReportView, parseManifest } from "./source/manifest";
import { CheckReport } from "./source/report";
import { SetupView } from "./source/setup";

export function HandoverPage({ secret }: { secret: string }) {
  const headers = { Authorization: `Bearer ${secret}` };
  const handed = useQuery(`handover ${secret}`, (signal) => answer(api.GET("/v1/handover", { headers, signal })));
  useEffect(() => {
    document.title = "Set up the application in Entra – entra-assets";
  }, []);
  const isInvalid = handed.error instanceof Refused && handed.error.status === 401;
  return (
    <>
      <header className="top">
        <span className="brand">
          <Mark /> Entra ID → Assets
        </span>
        <ThemeButton />
      </header>
      <main>
        <div className="page stack loose">
          {handed.loading && <Loading />}
          {isInvalid ? (
            <>
              <h1>This link does not work</h1>
              <Message tone="danger">
                <p>{handed.error?.message}</p>
              </Message>
            </>
          ) : (
            <Failure error={handed.error} />
          )}
          {handed.data && <Visit handed={handed.data} headers={headers} onChanged={handed.reload} />}
        </div>
      </main>
    </>
  );
}

type Headers = { Authorization: string };
type VisitProps = { handed: Schema<"HandedOver">; headers: Headers; onChanged: () => void };

function Visit({ handed: { connection, setup }, headers, onChanged }: VisitProps) {
  const [fresh, setFresh] = useState<Schema<"CheckResponse">>();
  const check = fresh ?? connection.lastCheck;
  const again = useAction(async () => setFresh(await answer(api.POST("/v1/handover/check", { headers }))));
  return (
    <>
      <div className="page-head">
        <div>
          <h1>Set up «{connection.name}» in Entra</h1>
          <p>
            Somebody who manages Jira asks you to let an import read your directory, and to enter a secret or certificate for it here. It is stored encrypted, and nobody can see it afterwards. This page
            can do nothing else.
          </p>
        </div>
      </div>
      <Facts
        items={[
          ["Directory (tenant) ID", <code key="t">{connection.tenantId}</code>],
          ["Application (client) ID", <code key="c">{connection.clientId}</code>],
        ]}
      />
      {check?.overall === "ok" && (
        <Message tone="success" live title="Done">
          <p>The import can read everything that it needs. You can close this page.</p>
        </Message>
      )}
      <div className="columns">
        <div className="stack">
          <SetupView setup={setup} />
          <Manifest headers={headers} />
        </div>
        <div className="stack">
          <EnterCredential
            headers={headers}
            onChecked={(report) => {
              setFresh(report);
              onChanged();
            }}
          />
          {check && (
            <div className="row">
              <Button pending={again.pending} onClick={() => void again.run()}>
                Check again
              </Button>
            </div>
          )}
          <Failure error={again.error} />
        </div>
      </div>
      {check && <CheckReport check={check} />}
    </>
  );
}

function EnterCredential({ headers, onChecked }: { headers: Headers; onChecked: (report: Schema<"CheckResponse">) => void }) {
  const [draft, setDraft] = useState(NO_CREDENTIAL);
  const send = useAction(async () => {
    const report = await answer(api.POST("/v1/handover/credential", { headers, body: { credential: credentialOf(draft) } }));
    setDraft(NO_CREDENTIAL);
    onChecked(report);
  });
  return (
    <Card title="Enter the secret or certificate">
      <Form label="Credential" onSubmit={() => void send.run()} error={send.error}>
        <CredentialFields draft={draft} stored={false} kinds={["clientSecret", "certificate"]} change={(part) => setDraft((draft) => ({ ...draft, ...part }))} />
        <div>
          <Button type="submit" kind="primary" pending={send.pending}>
            Save &amp; check connection
          </Button>
        </div>
      </Form>
    </Card>
  );
}

function Manifest({ headers }: { headers: Headers }) {
  const [report, setReport] = useState<Schema<"ManifestReport">>();
  const judge = useAction(async (text: string) => {
    setReport(undefined);
    setReport(await answer(api.POST("/v1/handover/manifest-checks", { headers, body: parseManifest(text) })));
  });
  return (
    <>
      <DropZone onText={(text) => void judge.run(text)} pending={judge.pending} />
      <Failure error={judge.error} title="The manifest was not checked" />
      {report && <ManifestReportView report={report} />}
    </>
  );
}
