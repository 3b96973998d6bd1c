/** One connection: its check, its settings, and the steps that are still to do. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { go, useRoute } from "../../route";
import { Checkbox } from "../../ui/form";
import { Button, Card, Confirm, Facts, Failure, Head, LinkButton, Loading, Lozenge, Table, Tabs } from "../../ui/parts";
import { Moment } from "../../ui/time";
import { Credential } from "../source";
import { ConnectionForm } from "./form";
import { Handovers } from "./handovers";
import { ManifestCheck } from "./manifest";
import { CheckReport, overallText, useCapabilities } from "./report";
import { SetupView } from "./setup";

type Connection = Schema<"ConnectionResponse">;
type Tab = "check" | "settings" | "setup" | "history";

export function ConnectionPage({ id }: { id: string }) {
  const { query } = useRoute();
  const [tab, setTab] = useState<Tab>(query.get("tab") === "setup" ? "setup" : "check");
  const connection = useQuery(`connection ${id}`, (signal) => answer(api.GET("/v1/connections/{id}", { params: { path: { id } }, signal })));
  const [fresh, setFresh] = useState<Schema<"CheckResponse"> | null>(null);
  const check = useAction(async (capabilities: Schema<"Capability">[] | undefined) => {
    setFresh(await answer(api.POST("/v1/connections/{id}/check", { params: { path: { id } }, body: { capabilities } })));
    connection.reload();
  });
  const [shown, setShown] = useState<Connection>();
  if (connection.data && connection.data !== shown) setShown(connection.data);
  if (connection.error) return <Failure error={connection.error} />;
  const current = connection.data ?? shown;
  if (!current) return <Loading />;
  const latest = fresh ?? current.lastCheck;
  return (
    <>
      <Head title={current.name} crumbs={{ to: "/source", text: "Source" }}>
        {latest && latest.overall !== "failed" && <LinkButton to="/filter/new">Next: filter</LinkButton>}
        <CheckButton pending={check.pending} onCheck={(capabilities) => void check.run(capabilities)} />
      </Head>
      <div className="stack loose">
        <Facts
          items={[
            ["Directory (tenant) ID", <code key="t">{current.tenantId}</code>],
            ["Application (client) ID", <code key="c">{current.clientId}</code>],
            ["Credential", <Credential key="k" credential={current.credential} />],
          ]}
        />
        <div>
          <Tabs
            label="Connection"
            value={tab}
            onChange={setTab}
            tabs={[
              ["check", "Check"],
              ["setup", "Set up in Entra"],
              ["settings", "Settings"],
              ["history", "Earlier checks"],
            ]}
          />
          <div role="tabpanel" aria-label={tab}>
            {tab === "check" && (
              <div className="stack">
                <Failure error={check.error} />
                {check.pending && <Loading what="Asking Entra and Microsoft Graph" />}
                {latest ? <CheckReport check={latest} /> : !check.pending && <p>This connection was not checked yet. Press «Check connection».</p>}
              </div>
            )}
            {tab === "setup" && <SetUp connection={current} />}
            {tab === "settings" && (
              <Settings
                connection={current}
                onSaved={() => {
                  setFresh(null);
                  connection.reload();
                  setTab("check");
                  // A key that may not check has saved all the same.
                  void check.run(undefined);
                }}
              />
            )}
            {tab === "history" && <Checks id={id} />}
          </div>
        </div>
      </div>
    </>
  );
}

function CheckButton({ pending, onCheck }: { pending: boolean; onCheck: (capabilities: Schema<"Capability">[] | undefined) => void }) {
  const capabilities = useCapabilities();
  const [more, setMore] = useState<Schema<"Capability">[]>([]);
  const optional = capabilities.filter((one) => !one.checkedByDefault);
  const usual = capabilities.filter((one) => one.checkedByDefault).map((one) => one.capability);
  return (
    <>
      <details className="more">
        <summary>Also check</summary>
        <div className="card stack tight">
          {optional.map((one) => (
            <Checkbox
              key={one.capability}
              label={one.title}
              help={one.gives}
              checked={more.includes(one.capability)}
              onChange={(on) => setMore(on ? [...more, one.capability] : more.filter((other) => other !== one.capability))}
            />
          ))}
        </div>
      </details>
      <Button kind="primary" pending={pending} onClick={() => onCheck(more.length === 0 ? undefined : [...usual, ...more])}>
        Check connection
      </Button>
    </>
  );
}

function SetUp({ connection }: { connection: Connection }) {
  const setup = useQuery(`setup ${connection.id} ${connection.version}`, (signal) => answer(api.GET("/v1/connections/{id}/setup", { params: { path: { id: connection.id } }, signal })));
  const { cloud, clientId, tenantId } = connection;
  return (
    <div className="columns">
      <div className="stack">
        <Failure error={setup.error} />
        {setup.data ? <SetupView setup={setup.data} /> : <Loading />}
      </div>
      <div className="stack">
        <Handovers connection={connection} />
        <ManifestCheck query={{ cloud, clientId, tenantId }} />
      </div>
    </div>
  );
}

function Settings({ connection, onSaved }: { connection: Connection; onSaved: () => void }) {
  const remove = useAction(async () => {
    await answer(api.DELETE("/v1/connections/{id}", { params: { path: { id: connection.id } } }));
    go("/source");
  });
  return (
    <div className="columns">
      <div className="stack">
        <Card>
          <ConnectionForm key={connection.version} connection={connection} onSaved={onSaved} />
        </Card>
      </div>
      <div className="stack">
        <Card title="Delete this connection">
          <div className="stack">
            <p>The stored credential is deleted at once. Objects in Assets stay. A connection that a job uses cannot be deleted.</p>
            <div>
              <Confirm kind="danger" button="Delete connection" title={`Delete «${connection.name}»?`} confirm="Delete" onConfirm={() => remove.run()} pending={remove.pending} error={remove.error}>
                <p>The service forgets the credential. This cannot be undone.</p>
              </Confirm>
            </div>
          </div>
        </Card>
      </div>
    </div>
  );
}

function Checks({ id }: { id: string }) {
  const checks = useQuery(`checks ${id}`, (signal) => answer(api.GET("/v1/connections/{id}/checks", { params: { path: { id }, query: { limit: 50 } }, signal })));
  if (!checks.data) return checks.error ? <Failure error={checks.error} /> : <Loading />;
  return (
    <Table label="Earlier checks" head={["Checked", "Result", "Summary"]}>
      {checks.data.items.map((check) => (
        <tr key={check.id}>
          <td>
            <Moment at={check.checkedAt} />
          </td>
          <td>
            <Lozenge tone={overallText[check.overall].tone}>{overallText[check.overall].text}</Lozenge>
          </td>
          <td>{check.summary}</td>
        </tr>
      ))}
    </Table>
  );
}
