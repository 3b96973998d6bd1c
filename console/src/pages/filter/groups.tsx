import { TextArea } from "../../ui/form";

/** The groups whose members are imported, as object ids. */
export function GroupPicker({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return <TextArea label="Groups" pointer="/scope/groupIds" code rows={3} value={value} onChange={onChange} help="Object ids of groups, one on each line. The Entra admin center shows the id on the group's Overview." />;
}
