/** Source: the connections to Entra ID. */
import { all, answer, api, type Schema } from "../api/client";
import { useQuery } from "../api/use";
import { href } from "../route";
import { Empty, Failure, Head, LinkButton, Loading, Lozenge, Table } from "../ui/parts";
import { daysUntil, Moment, plural } from "../ui/time";
import { ConnectionPage } from "./source/connection";
import { ConnectionForm } from "./source/form";
import { overallText } from "./source/report";
import { SetupSteps } from "./source/setup";

type Connection = Schema<"ConnectionResponse">;

export function SourcePages({ path: [id] }: { path: string[] }) {
  if (id === "new") return <NewConnection />;
  if (id !== undefined) return <ConnectionPage id={id} key={id} />;
  return <Connections />;
}

export const loadConnections = (signal: AbortSignal) => all((cursor) => answer(api.GET("/v1/connections", { params: { query: { limit: 200, cursor } }, signal })));

function Connections() {
  const connections = useQuery("connections", loadConnections);
  return (
    <>
      <Head title="Source" intro="The Microsoft Entra ID tenants from which users, groups and licences are read.">
        <LinkButton to="/source/new" kind="primary" icon="plus">
          Connect a tenant
        </LinkButton>
      </Head>
      <Failure error={connections.error} />
      {connections.loading && <Loading />}
      {connections.data?.length === 0 && (
        <Empty icon="source" title="No tenant is connected" action={<LinkButton to="/source/new">Connect a tenant</LinkButton>}>
          Register an application in the Entra admin center, give it permissions to read, and enter its ids and its secret here. The form shows every step.
        </Empty>
      )}
      {connections.data && connections.data.length > 0 && (
        <div className="card">
          <Table label="Connections" head={["Name", "Tenant", "Credential", "Last check", "Checked"]}>
            {connections.data.map((one) => (
              <tr key={one.id} className="linked">
                <td>
                  <a href={href(`/source/${one.id}`)}>{one.name}</a>
                </td>
                <td>
                  <code>{one.tenantId}</code>
                </td>
                <td>
                  <Credential credential={one.credential} />
                </td>
                <td>{one.lastCheck ? <Lozenge tone={overallText[one.lastCheck.overall].tone}>{overallText[one.lastCheck.overall].text}</Lozenge> : <Lozenge>Not checked</Lozenge>}</td>
                <td>
                  <Moment at={one.lastCheck?.checkedAt} />
                </td>
              </tr>
            ))}
          </Table>
        </div>
      )}
    </>
  );
}

const CREDENTIALS = { clientSecret: "Client secret", certificate: "Certificate", federated: "Workload identity", awaited: "Awaited" };

/** Kind of a credential, and when it ends. */
export function Credential({ credential }: { credential: Connection["credential"] }) {
  const days = credential.expiresAt ? daysUntil(credential.expiresAt) : null;
  return (
    <span className="row">
      {CREDENTIALS[credential.kind]}
      {days !== null && (
        <Lozenge tone={days <= 0 ? "danger" : days <= 30 ? "warning" : "neutral"}>{days <= 0 ? "Expired" : `Ends in ${plural(days, "day")}`}</Lozenge>
      )}
    </span>
  );
}

function NewConnection() {
  return (
    <>
      <Head title="Connect a tenant" crumbs={{ to: "/source", text: "Source" }} intro="Enter what the app registration in Entra shows. The check then says for every kind of data whether it can be read, and if not, why." />
      <ConnectionForm aside={(tenantId, clientId, cloud) => <SetupSteps tenantId={tenantId} clientId={clientId} cloud={cloud} />} />
    </>
  );
}
