import { Head } from "../ui/parts";
export function ImportPages(_: { path: string[] }) { return <Head title="import" />; }
