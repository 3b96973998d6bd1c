import { Head } from "../ui/parts"; export function Overview() { return <Head title="Overview" />; }
