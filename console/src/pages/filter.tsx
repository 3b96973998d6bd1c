import { Head } from "../ui/parts";
export function FilterPages(_: { path: string[] }) { return <Head title="filter" />; }
