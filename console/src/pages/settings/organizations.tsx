import { useState } from "react";
import { all, answer, api, idempotencyKey, Refused, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Form, TextField } from "../../ui/form";
import { Button, Card, Confirm, Copyable, Failure, Loading, Message, Table } from "../../ui/parts";
import { Moment } from "../../ui/time";

type Organization = Schema<"OrganizationResponse">;

export function Organizations() {
  const organizations = useQuery("organizations", (signal) => all((cursor) => answer(api.GET("/v1/organizations", { params: { query: { limit: 200, cursor } }, signal }))));
  const [created, setCreated] = useState<Organization>();
  if (organizations.error instanceof Refused && organizations.error.status === 403) {
    return (
      <Message tone="information">
        <p>Only the operator of the service sees the organizations: an admin key of the organization «default».</p>
      </Message>
    );
  }
  if (!organizations.data) return organizations.error ? <Failure error={organizations.error} /> : <Loading />;
  return (
    <div className="columns">
      <Card title="Organizations">
        <Table label="Organizations" head={["Name", "External id", "Created", "Action"]}>
          {organizations.data.map((one) => (
            <tr key={one.id}>
              <td>{one.name}</td>
              <td className="break">{one.externalId ?? "–"}</td>
              <td>
                <Moment at={one.createdAt} />
              </td>
              <td>{one.externalId !== "default" && one.name !== "default" && <DeleteOrganization one={one} onDone={organizations.reload} />}</td>
            </tr>
          ))}
        </Table>
      </Card>
      <div className="stack">
        {created?.adminKey && (
          <Message tone="success" live title="Its first admin key is shown only now">
            <Copyable label={`Admin key of «${created.name}»`} text={created.adminKey} />
          </Message>
        )}
        <Card title="Create an organization">
          <CreateOrganization
            onCreated={(one) => {
              setCreated(one);
              organizations.reload();
            }}
          />
        </Card>
      </div>
    </div>
  );
}

function CreateOrganization({ onCreated }: { onCreated: (one: Organization) => void }) {
  const [name, setName] = useState("");
  const [externalId, setExternalId] = useState("");
  const create = useAction(async () => {
    const params = { header: { "Idempotency-Key": idempotencyKey() } };
    onCreated(await answer(api.POST("/v1/organizations", { params, body: { name: name.trim(), externalId: externalId.trim() || null } })));
    setName("");
    setExternalId("");
  });
  return (
    <Form label="Create an organization" onSubmit={() => void create.run()} error={create.error}>
      <TextField label="Name" pointer="/name" value={name} onChange={setName} />
      <TextField label="External id (optional)" pointer="/externalId" value={externalId} onChange={setExternalId} help="How tokens of an OpenID Connect issuer name it." />
      <div>
        <Button type="submit" kind="primary" pending={create.pending}>
          Create organization
        </Button>
      </div>
    </Form>
  );
}

function DeleteOrganization({ one, onDone }: { one: Organization; onDone: () => void }) {
  const remove = useAction(async () => {
    await answer(api.DELETE("/v1/organizations/{id}", { params: { path: { id: one.id } } }));
    onDone();
  });
  return (
    <Confirm kind="danger" button="Delete" title={`Delete «${one.name}»?`} confirm="Delete everything of it" onConfirm={remove.run} pending={remove.pending} error={remove.error}>
      <p>Its keys and secrets are deleted at once, then its settings, its runs and what they read. This cannot be undone. Objects in Assets stay.</p>
    </Confirm>
  );
}
