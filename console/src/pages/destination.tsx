import { Head } from "../ui/parts";
export function DestinationPages(_: { path: string[] }) { return <Head title="destination" />; }
