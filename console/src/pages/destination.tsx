/** Destination: the import sources in Assets. */
import { all, answer, api } from "../api/client";
import { useQuery } from "../api/use";
import { href } from "../route";
import { Empty, Failure, Head, LinkButton, Loading, Table } from "../ui/parts";
import { Moment } from "../ui/time";
import { DestinationPage } from "./destination/destination";
import { DestinationForm, MISSING } from "./destination/form";
import { AssetsSteps } from "./destination/steps";

export const loadDestinations = (signal: AbortSignal) => all((cursor) => answer(api.GET("/v1/destinations", { params: { query: { limit: 200, cursor } }, signal })));

export function DestinationPages({ path: [id] }: { path: string[] }) {
  if (id === "new") return <NewDestination />;
  if (id !== undefined) return <DestinationPage id={id} key={id} />;
  return <Destinations />;
}

function Destinations() {
  const destinations = useQuery("destinations", loadDestinations);
  return (
    <>
      <Head title="Destination" intro="The import sources in Assets that receive the objects.">
        <LinkButton to="/destination/new" kind="primary" icon="plus">
          Add a destination
        </LinkButton>
      </Head>
      <Failure error={destinations.error} />
      {destinations.loading && <Loading />}
      {destinations.data?.length === 0 && (
        <Empty icon="destination" title="No destination yet" action={<LinkButton to="/destination/new">Add a destination</LinkButton>}>
          Create an import source in Assets and enter its token here. The form shows every step.
        </Empty>
      )}
      {destinations.data && destinations.data.length > 0 && (
        <div className="card">
          <Table label="Destinations" head={["Name", "Kind", "Missing objects", "Changed"]}>
            {destinations.data.map((one) => (
              <tr key={one.id} className="linked">
                <td>
                  <a href={href(`/destination/${one.id}`)}>{one.name}</a>
                </td>
                <td>{one.kind === "forge" ? "Forge app" : "Import source with a token"}</td>
                <td>{MISSING[one.missingObjects]}</td>
                <td>
                  <Moment at={one.updatedAt} />
                </td>
              </tr>
            ))}
          </Table>
        </div>
      )}
    </>
  );
}

function NewDestination() {
  return (
    <>
      <Head title="Add a destination" crumbs={{ to: "/destination", text: "Destination" }} intro="The token of an import source in Assets is all that the service needs." />
      <div className="columns">
        <div className="card">
          <DestinationForm />
        </div>
        <AssetsSteps />
      </div>
    </>
  );
}
